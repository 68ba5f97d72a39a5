//! Request heads (RFC 9112 §3): request line, target forms, host, framing.

use std::net::Ipv6Addr;

use bulkhead_message::{
    BodyLength, Known, Method, RequestHead, Version, is_host_byte, is_token_byte,
};
use memchr::{memchr, memrchr};

use super::connection::Settings;
use super::fields::{Delimited, Framing, Line, Lines, decimal, field};
use super::reject::Reject;

/// Longest method token, in bytes.
const METHOD_BYTES_MAX: usize = 32;

/// Longest text that may stand where the version should; more is refused without waiting for its end.
const VERSION_BYTES_MAX: usize = 64;

/// What the state machine has to know of a decoded request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    /// Bytes of the head, with its final empty line.
    pub(super) bytes: usize,
    /// How its body is delimited; a request without framing field has none.
    pub(super) body: Delimited,
    /// Connection options and expectations.
    pub(super) framing: Framing,
}

/// The three parts of a request line, and how many bytes it took.
struct RequestLine<'a> {
    method: &'a [u8],
    target: &'a [u8],
    version: Version,
    bytes: usize,
}

/// Decodes the head at the front of `input` into `head`; `None` if it is not whole yet.
///
/// Each decision falls on the first bytes that allow it, so the outcome does not depend on how the
/// input was cut into pieces.
pub(super) fn decode(
    input: &[u8],
    settings: &Settings,
    head: &mut RequestHead,
) -> Result<Option<Decoded>, Reject> {
    let Some(line) = request_line(input, settings)? else { return Ok(None) };
    head.clear();
    head.version = line.version;
    head.scheme = settings.scheme;
    head.set_method(line.method);
    let target_authority = set_target(head, line.target)?;

    let mut lines = Lines::new(input, line.bytes, settings.head_bytes_max, settings.fields_max);
    let mut framing = Framing::default();
    let mut host: Option<&[u8]> = None;
    loop {
        match lines.next()? {
            Line::Incomplete => return Ok(None),
            Line::End => break,
            Line::Field(line) => field(line, |known, name, value| {
                if known == Known::Host {
                    return match host.replace(value) {
                        Some(_) => Err(Reject::bad("more than one host")),
                        None if is_authority(value) => Ok(()),
                        None => Err(Reject::bad("invalid host")),
                    };
                }
                framing.note(known, value)?;
                head.fields.push_classified(known, name, value, false);
                Ok(())
            })?,
        }
    }
    let http10 = head.version == Version::Http10;
    if host.is_none() && !http10 {
        return Err(Reject::bad("host is missing"));
    }
    // RFC 9112 §3.2.2: an authority in the target wins over the field.
    if let Some(authority) = target_authority.or(host) {
        head.set_authority(authority);
    }
    let body = framing.delimited(http10)?;
    head.body = match body {
        Delimited::Unsaid => BodyLength::None,
        Delimited::Length(length) => BodyLength::Known(length),
        Delimited::Chunked => BodyLength::Unknown,
    };
    Ok(Some(Decoded { bytes: lines.consumed(), body, framing }))
}

#[inline]
fn request_line<'a>(
    input: &'a [u8],
    settings: &Settings,
) -> Result<Option<RequestLine<'a>>, Reject> {
    let Some((method, rest)) = cut(input, METHOD_BYTES_MAX, is_token_byte) else {
        return match input.len() {
            len if len > METHOD_BYTES_MAX => Err(Reject::new(501, "method too long")),
            _ => incomplete(input, settings),
        };
    };
    if method.is_empty() || rest.first() != Some(&b' ') {
        return Err(Reject::bad("invalid method"));
    }
    let rest = rest.get(1..).unwrap_or(&[]);
    let Some((target, rest)) = cut_target(rest, settings.target_bytes_max) else {
        return match rest.len() {
            len if len > settings.target_bytes_max => Err(Reject::new(414, "target too long")),
            _ => incomplete(input, settings),
        };
    };
    if target.is_empty() || rest.first() != Some(&b' ') {
        return Err(Reject::bad("invalid request target"));
    }
    let rest = rest.get(1..).unwrap_or(&[]);
    let before = method.len() + target.len() + 2;
    if rest.starts_with(b"HTTP/1.1\r\n") {
        let version = Version::Http11;
        return Ok(Some(RequestLine { method, target, version, bytes: before + 10 }));
    }
    let window = rest.get(..VERSION_BYTES_MAX + 1).unwrap_or(rest);
    let Some(at) = memchr(b'\n', window) else {
        return match rest.len() {
            len if len > VERSION_BYTES_MAX => Err(Reject::bad("invalid version")),
            _ => incomplete(input, settings),
        };
    };
    match rest.get(..at) {
        Some(b"HTTP/1.0\r") => {
            let version = Version::Http10;
            Ok(Some(RequestLine { method, target, version, bytes: before + at + 1 }))
        }
        Some(b"HTTP/2.0\r") if method == b"PRI" && target == b"*" => {
            Err(Reject::new(505, "HTTP/2 preface on an HTTP/1 connection"))
        }
        Some([b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9', b'\r']) => {
            Err(Reject::new(505, "unsupported HTTP version"))
        }
        Some([.., b'\r']) => Err(Reject::bad("invalid version")),
        _ => Err(Reject::bad("bare LF")),
    }
}

const fn incomplete<T>(input: &[u8], settings: &Settings) -> Result<Option<T>, Reject> {
    if input.len() >= settings.head_bytes_max {
        return Err(Reject::new(431, "head too large"));
    }
    Ok(None)
}

/// Splits at the first byte that `allowed` refuses, if it comes within `bytes_max`.
#[inline]
fn cut(input: &[u8], bytes_max: usize, allowed: impl Fn(u8) -> bool) -> Option<(&[u8], &[u8])> {
    let at = input.iter().take(bytes_max + 1).position(|&byte| !allowed(byte))?;
    input.split_at_checked(at)
}

/// As [`cut`] with [`is_target_byte`]; where a space ends a valid target, without a branch for each
/// byte of it.
#[inline]
fn cut_target(input: &[u8], bytes_max: usize) -> Option<(&[u8], &[u8])> {
    let window = input.get(..=bytes_max).unwrap_or(input);
    if let Some(at) = memchr(b' ', window)
        && let Some((target, rest)) = input.split_at_checked(at)
        && !target.iter().fold(false, |bad, &byte| bad | !is_target_byte(byte))
    {
        return Some((target, rest));
    }
    cut(input, bytes_max, is_target_byte)
}

/// Visible ASCII without `#`: a fragment is never sent, and other bytes must be percent-encoded.
const fn is_target_byte(byte: u8) -> bool {
    (byte > 0x20) & (byte < 0x7f) & (byte != b'#')
}

/// Sets path and query from any of the four forms of target (RFC 9112 §3.2); gives the authority if
/// the target holds one.
fn set_target<'a>(head: &mut RequestHead, target: &'a [u8]) -> Result<Option<&'a [u8]>, Reject> {
    const INVALID: Reject = Reject::bad("invalid request target");
    if head.method() == Method::Connect {
        let has_port = memrchr(b':', target).is_some();
        return if has_port && is_authority(target) { Ok(Some(target)) } else { Err(INVALID) };
    }
    match target {
        [b'/', ..] => {
            head.set_target(target);
            Ok(None)
        }
        b"*" if head.method() == Method::Options => {
            head.set_target(target);
            Ok(None)
        }
        _ => {
            let rest = strip_scheme(target).ok_or(INVALID)?;
            let end = rest.iter().position(|&b| b == b'/' || b == b'?').unwrap_or(rest.len());
            let (authority, path) = rest.split_at_checked(end).ok_or(INVALID)?;
            if !is_authority(authority) {
                return Err(INVALID);
            }
            match path {
                [b'/', ..] => head.set_target(path),
                // RFC 9112 §3.2.4: a proxy that is the last one turns this into the asterisk form.
                [] if head.method() == Method::Options => head.set_target(b"*"),
                [] => head.set_target(b"/"),
                query => head.set_target(&[&b"/"[..], query].concat()),
            }
            Ok(Some(authority))
        }
    }
}

fn strip_scheme(target: &[u8]) -> Option<&[u8]> {
    [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// Bytes of a name or an IPv4 address. Not `%`: no name that anybody resolves has one, and `%00` is
/// read as an end by some.
static IS_NAME_BYTE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0u8;
    while byte < 128 {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            table[byte as usize] = is_host_byte(byte) && !matches!(byte, b':' | b'[' | b']' | b'%');
        }
        byte += 1;
    }
    table
};

/// `uri-host [ ":" port ]` without user information. A name, an IPv4 address, or an address in
/// brackets; the port, if there is a colon, is empty or a number up to 65,535.
pub(crate) fn is_authority(text: &[u8]) -> bool {
    let (host, port) = match text {
        [b'[', rest @ ..] => {
            let Some((address, after)) =
                memchr(b']', rest).and_then(|at| rest.split_at_checked(at))
            else {
                return false;
            };
            let is_address = |text: &str| text.parse::<Ipv6Addr>().is_ok();
            if !std::str::from_utf8(address).is_ok_and(is_address) {
                return false;
            }
            (address, after.get(1..).unwrap_or(&[]))
        }
        // A plain loop: names are too short for a vector search to be worth its call.
        _ => {
            let is_name = |byte: u8| IS_NAME_BYTE.get(usize::from(byte)) == Some(&true);
            let end = text.iter().position(|&byte| !is_name(byte));
            text.split_at_checked(end.unwrap_or(text.len())).unwrap_or((text, &[]))
        }
    };
    if host.is_empty() {
        return false;
    }
    match port {
        [] | [b':'] => true,
        [b':', digits @ ..] => decimal(digits).is_some_and(|port| port <= 65_535),
        _ => false,
    }
}
