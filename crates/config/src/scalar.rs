//! Single values: how each kind is read from text, and what it is called in a diagnostic.

mod address;
pub(crate) use address::read_endpoint;

pub(crate) mod pattern;
pub(crate) mod units;

use std::borrow::Cow;

use crate::diagnostic::quote;
use crate::nearest;
use crate::value::Value;

/// Kind of a single value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// Any text.
    Text,
    /// `true` or `false`.
    Bool,
    /// Only `true`.
    True,
    /// A whole number between the two, inclusive.
    Integer {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// A decimal number between the two, inclusive.
    Decimal {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
    /// One of these numbers.
    Status(&'static [u64]),
    /// `250ms`, `1m30s`, between the two, inclusive.
    Duration {
        /// Shortest, in milliseconds.
        min_ms: u64,
        /// Longest, in milliseconds.
        max_ms: u64,
    },
    /// `64KiB`, `1MB`, or bytes, between the two, inclusive.
    Size {
        /// Smallest, in bytes.
        min: u64,
        /// Largest, in bytes.
        max: u64,
    },
    /// `20%`, between the two, inclusive.
    Percent {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// IP address and port.
    Address,
    /// IP address, or network with the length of its prefix.
    Network,
    /// IP address and port, or a Unix socket.
    ListenAddress,
    /// Permissions of a file, in octal.
    FileMode,
    /// IP address or name, and port; or a Unix socket.
    Endpoint,
    /// Path of a file.
    File,
    /// Name of an environment variable.
    Environment,
    /// Name of something in this file.
    Name,
    /// Hostname, exact or `*.suffix`.
    Hostname,
    /// Host of an authority: hostname, IPv4 address, or IPv6 address in brackets; without port.
    Host,
    /// Hostname or IP address.
    ServerName,
    /// Origin of a page (RFC 6454 §6.2), with a wildcard for leading labels, or `*`.
    Origin,
    /// Name of a cookie (RFC 6265 §4.1.1).
    CookieName,
    /// Name of a header field (RFC 9110 §5.1); becomes lower case.
    HeaderName,
    /// Value of a header field (RFC 9110 §5.5).
    HeaderValue,
    /// Method token (RFC 9110 §9.1).
    Method,
    /// Token of a protocol to switch to (RFC 9110 §7.8); becomes lower case.
    Upgrade,
    /// Path that starts with `/`, without query.
    Path,
    /// Path whose leading segments are matched.
    Prefix,
    /// Path that is a template if it has a `{`, else a prefix.
    PathText,
    /// Path template.
    Template,
    /// Regular expression.
    Regex,
}

/// Why a text is not of its kind.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) suggestion: Option<String>,
    pub(crate) remedy: Option<String>,
    /// Characters from the start of the text to the fault.
    pub(crate) offset: Option<usize>,
    /// The text may be a secret: say nothing of it.
    pub(crate) hide: bool,
}

impl Fault {
    /// A fault with only a message.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// The text is not what was expected.
    fn not(text: &str, what: &str) -> Self {
        Self::new(format!("{} is not {what}", quote(text)))
    }

    fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl Scalar {
    /// Reads `text`, which stood in the file without quotes if `plain`.
    pub(crate) fn read(self, text: &str, plain: bool) -> Result<Value, Fault> {
        match self {
            Self::Text => Ok(Value::Text(text.to_owned())),
            Self::Bool | Self::True => self.read_bool(text, plain),
            Self::Integer { min, max } => read_integer(text, plain, min, max).map(Value::Integer),
            Self::Decimal { min, max } => read_decimal(text, min, max).map(Value::Decimal),
            Self::Status(allowed) => match text.parse() {
                Ok(status) if allowed.contains(&status) => Ok(Value::Integer(status)),
                _ => Err(Fault::not(text, "a known value")),
            },
            Self::Duration { min_ms, max_ms } => units::read_duration(text, min_ms, max_ms),
            Self::Size { min, max } => units::read_size(text, min, max),
            Self::Percent { min, max } => units::read_percent(text, min, max),
            Self::Choice(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
            Self::Choice(words) => {
                let fault = Fault::not(text, "a known value");
                Err(match nearest::nearest(text, words.iter().copied()) {
                    Some(word) => fault.suggest(word),
                    None => fault,
                })
            }
            Self::Network => address::read_network(text).map(Value::Network),
            Self::Address => {
                address::read_address(text).map(|address| Value::Address(address.into()))
            }
            Self::ListenAddress => address::read_listen_address(text).map(Value::Address),
            Self::FileMode => read_file_mode(text).map(Value::Integer),
            Self::Endpoint => read_endpoint(text).map(Value::Endpoint),
            Self::Hostname => address::read_hostname(text).map(Value::Text),
            Self::Host => address::read_host(text).map(Value::Text),
            Self::Origin => address::read_origin(text).map(Value::Text),
            Self::ServerName => address::read_server_name(text).map(Value::Text),
            Self::Regex => pattern::check_regex(text).map(|()| Value::Text(text.to_owned())),
            Self::Template => pattern::check_template(text).map(|()| Value::Text(text.to_owned())),
            Self::PathText if text.contains(['{', '}']) => Self::Template.read(text, plain),
            Self::PathText => Self::Prefix.read(text, plain),
            Self::Prefix => {
                pattern::check_prefix(text)?;
                Self::Path.read(text, plain)
            }
            _ => self.read_token(text),
        }
    }

    fn read_bool(self, text: &str, plain: bool) -> Result<Value, Fault> {
        match text {
            "true" if plain => Ok(Value::Bool(true)),
            "false" if plain && self == Self::Bool => Ok(Value::Bool(false)),
            "false" if plain => Err(Fault::not(text, "`true`").remedy("leave the key out instead")),
            "true" | "false" => {
                Err(Fault::not(text, "a truth value in quotes").remedy("remove the quotes"))
            }
            _ => {
                let fault = Fault::not(text, "`true` or `false`");
                Err(match text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "1" | "true" => fault.suggest("true"),
                    "no" | "off" | "0" | "false" => fault.suggest("false"),
                    _ => fault,
                })
            }
        }
    }

    /// Kinds whose bytes are checked and that are otherwise taken as they are.
    fn read_token(self, text: &str) -> Result<Value, Fault> {
        let bytes = text.as_bytes();
        let (fits, what) = match self {
            Self::File => (!text.is_empty() && !text.contains('\0'), "the name of a file"),
            Self::Environment => return read_environment(text),
            Self::Name => (is_name(text), "a name"),
            Self::HeaderName => (is_token(bytes), "the name of a header"),
            Self::HeaderValue => (is_field_value(bytes), "the value of a header"),
            Self::CookieName => (is_token(bytes), "the name of a cookie"),
            Self::Method => (is_token(bytes), "a method"),
            Self::Upgrade => (is_protocol(bytes), "a protocol"),
            _ => return read_path(text),
        };
        if !fits {
            return Err(Fault::not(text, what));
        }
        let lower = matches!(self, Self::HeaderName | Self::Upgrade);
        Ok(Value::Text(if lower { text.to_ascii_lowercase() } else { text.to_owned() }))
    }

    /// What is expected, as it stands in a diagnostic and in the reference.
    pub(crate) fn expected(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Text => "text",
            Self::Bool => "`true` or `false`",
            Self::True => "`true`",
            Self::Integer { min, max } => {
                return format!("whole number, {min} to {max}").into();
            }
            Self::Decimal { min, max } => return format!("number, {min} to {max}").into(),
            Self::Status(allowed) => return words(allowed.iter().map(u64::to_string)).into(),
            Self::Duration { min_ms, max_ms } => {
                let (min, max) = (units::duration_text(min_ms), units::duration_text(max_ms));
                return format!("duration such as `250ms`, `5s` or `1m30s`, {min} to {max}").into();
            }
            Self::Size { min, max } => {
                let (min, max) = (units::size_text(min), units::size_text(max));
                return format!("size such as `64KiB`, `1MB` or a number of bytes, {min} to {max}")
                    .into();
            }
            Self::Percent { min, max } => {
                return format!("share such as `20%`, {min}% to {max}%").into();
            }
            Self::Choice(allowed) => {
                return words(allowed.iter().map(|word| (*word).to_owned())).into();
            }
            Self::Address => "IP address and port such as `0.0.0.0:8080` or `[::1]:8080`",
            Self::Network => "network such as `10.0.0.0/8` or `2001:db8::/32`, or IP address",
            Self::ListenAddress => {
                "IP address and port such as `0.0.0.0:8080` or `[::1]:8080`, or a Unix socket such as \
                 `unix:/run/bulkhead.sock` or `unix:@name`"
            }
            Self::FileMode => "permissions in octal such as `0660`",
            Self::Endpoint => {
                "address and port such as `10.0.0.1:80`, `[::1]:80` or `name:80`, or a Unix socket \
                 such as `unix:/run/app.sock`"
            }
            Self::File => "name of a file",
            Self::Environment => "name of an environment variable, such as `GATEWAY_SECRET`",
            Self::Name => "name of letters, digits, `-`, `_` and `.`, at most 128",
            Self::Hostname => "hostname such as `api.example.com` or `*.example.com`",
            Self::Host => "hostname or IP address, without port",
            Self::Origin => {
                "origin such as `https://app.example.com` or `https://*.example.com`, or `*`"
            }
            Self::ServerName => "hostname or IP address",
            Self::CookieName => "name of a cookie such as `affinity`",
            Self::HeaderName => "name of a header such as `x-request-id`",
            Self::HeaderValue => "value of a header: visible text without line breaks",
            Self::Method => "method such as `GET`",
            Self::Upgrade => "protocol such as `websocket`",
            Self::Path | Self::Prefix => "path that starts with `/`, without query",
            Self::PathText => "prefix such as `/api` or template such as `/users/{id}`",
            Self::Template => "template such as `/users/{id}` or `/users/{id:[0-9]+}`",
            Self::Regex => "regular expression",
        })
    }
}

/// `` `a`, `b` or `c` ``
pub fn words(list: impl Iterator<Item = String>) -> String {
    let quoted: Vec<String> = list.map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// Reads permissions in octal. As a number of YAML it would be a decimal one.
fn read_file_mode(text: &str) -> Result<u64, Fault> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let octal =
        (3..=4).contains(&digits.len()) && digits.bytes().all(|b| (b'0'..=b'7').contains(&b));
    match u64::from_str_radix(digits, 8) {
        Ok(mode) if octal && mode <= 0o777 => Ok(mode),
        _ => Err(Fault::not(text, "permissions of a file")),
    }
}

fn read_integer(text: &str, plain: bool, min: u64, max: u64) -> Result<u64, Fault> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits: String =
            text.chars().filter(|c| !matches!(c, '_' | ',' | '\'' | ' ')).collect();
        let fault = Fault::not(text, "a whole number");
        let grouped = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        return Err(if grouped { fault.suggest(digits) } else { fault });
    }
    if !plain {
        return Err(Fault::not(text, "a number in quotes").remedy("remove the quotes"));
    }
    match text.parse() {
        Ok(number) if number < min => Err(Fault::new(format!("`{text}` is too small"))),
        Ok(number) if number <= max => Ok(number),
        _ => Err(Fault::new(format!("{} is too large", quote(text)))),
    }
}

fn read_decimal(text: &str, min: f64, max: f64) -> Result<f64, Fault> {
    let digits = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    match text.parse::<f64>() {
        Ok(number) if text.bytes().all(digits) => match number {
            _ if number < min => Err(Fault::new(format!("`{text}` is too small"))),
            _ if number > max => Err(Fault::new(format!("`{text}` is too large"))),
            _ => Ok(number),
        },
        _ => Err(Fault::not(text, "a number")),
    }
}

fn read_environment(text: &str) -> Result<Value, Fault> {
    let fits = text.len() <= 255
        && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if fits {
        return Ok(Value::Text(text.to_owned()));
    }
    // What stands here may be the secret itself, put into the wrong key.
    Err(Fault { hide: true, ..Fault::new("this is not the name of an environment variable") }
        .remedy("put the secret into an environment variable and write the variable's name here"))
}

fn read_path(text: &str) -> Result<Value, Fault> {
    if !text.starts_with('/') {
        let fault = Fault::not(text, "a path");
        let fits = is_path(format!("/{text}").as_bytes());
        return Err(if fits { fault.suggest(format!("/{text}")) } else { fault });
    }
    if let Some(place) = text.chars().position(|c| matches!(c, '?' | '#')) {
        let fault = Fault { offset: Some(place), ..Fault::not(text, "a path without query") };
        return Err(fault.remedy("match the query with `query_params`"));
    }
    if !is_path(text.as_bytes()) {
        return Err(Fault::not(text, "a path").remedy("percent-encode what is not visible ASCII"));
    }
    Ok(Value::Text(text.to_owned()))
}

/// Whether `text` may name something in the file.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// RFC 9110 §5.6.2.
fn is_token(text: &[u8]) -> bool {
    let special = b"!#$%&'*+-.^_`|~";
    !text.is_empty()
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || special.contains(byte))
}

/// RFC 9110 §5.5: no control character but tab, no white space around it.
fn is_field_value(value: &[u8]) -> bool {
    value.trim_ascii().len() == value.len()
        && value.iter().all(|&byte| byte == b'\t' || (byte >= 0x20 && byte != 0x7f))
}

/// `protocol-name [ "/" protocol-version ]`, both tokens (RFC 9110 §7.8).
fn is_protocol(text: &[u8]) -> bool {
    text.splitn(2, |&byte| byte == b'/').all(is_token)
}

/// Visible ASCII from `/` on, without query and fragment.
fn is_path(path: &[u8]) -> bool {
    path.first() == Some(&b'/')
        && path.iter().all(|&byte| byte.is_ascii_graphic() && byte != b'#' && byte != b'?')
}

#[cfg(test)]
mod tests;
