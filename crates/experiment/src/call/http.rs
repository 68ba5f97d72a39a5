//! Requests to servers, put together as Python's `requests` does it for Chaos Toolkit: arguments are the
//! query of a GET, JSON if the header `Content-Type` is exactly `application/json`, and else a form.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::python;
use crate::substitution::Variables;

/// How long a request may take that says nothing about it.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(300);
/// Longest time that a request may ask for.
const TIMEOUT_MAX: Duration = Duration::from_secs(86_400);
/// Attempts after the first at most.
const RETRIES_MAX: u64 = 10;

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpCall {
    /// Method, in capitals.
    pub method: String,
    /// URL with its query.
    pub url: String,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// Body; empty if there is none.
    pub body: Vec<u8>,
    /// For the connection to come about.
    pub connect_timeout: Duration,
    /// For each wait for the server.
    pub read_timeout: Duration,
    /// Whether the server's certificate is verified.
    pub verify_tls: bool,
    /// Attempts to connect after the first.
    pub max_retries: u32,
}

/// What a server answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HttpReply {
    /// Status.
    pub status: u16,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl HttpCall {
    pub(super) fn of(provider: &Value, variables: &Variables) -> Result<Self, String> {
        let get = |key: &str| provider.get(key).unwrap_or(&Value::Null);
        let mut url = python::text(&variables.substitute(get("url")));
        let method = get("method").as_str().unwrap_or("GET").to_ascii_uppercase();
        let (connect_timeout, read_timeout) = timeouts(&variables.substitute(get("timeout")))?;
        let arguments = match get("arguments") {
            given if python::truthy(given) => variables.substitute_if_any(given),
            given => given.clone(),
        };
        let mut headers = match variables.substitute(get("headers")) {
            Value::Object(headers) => texts(&headers),
            _ => Vec::new(),
        };
        let mut body = Vec::new();
        let is_json = headers
            .iter()
            .any(|(name, value)| name == "Content-Type" && value == "application/json");
        if method == "GET" {
            url = with_query(url, &encode(&arguments));
        } else if is_json {
            if !arguments.is_null() {
                body = arguments.to_string().into_bytes();
            }
        } else if python::truthy(&arguments) {
            body = encode(&arguments).into_bytes();
            let named = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
            if !named && !arguments.is_string() {
                let form = "application/x-www-form-urlencoded";
                headers.push(("Content-Type".to_owned(), form.to_owned()));
            }
        }
        let retries = get("max_retries").as_u64().unwrap_or(0).min(RETRIES_MAX);
        Ok(Self {
            method,
            url,
            headers,
            body,
            connect_timeout,
            read_timeout,
            verify_tls: get("verify_tls").as_bool().unwrap_or(true),
            max_retries: u32::try_from(retries).unwrap_or(0),
        })
    }
}

fn texts(headers: &Map<String, Value>) -> Vec<(String, String)> {
    let present = headers.iter().filter(|(_, value)| !value.is_null());
    present.map(|(name, value)| (name.clone(), python::text(value))).collect()
}

/// One number for both waits, or a list of two.
fn timeouts(value: &Value) -> Result<(Duration, Duration), String> {
    match value {
        Value::Null => Ok((TIMEOUT_DEFAULT, TIMEOUT_DEFAULT)),
        Value::Array(pair) if pair.len() == 2 => Ok((seconds(&pair[0])?, seconds(&pair[1])?)),
        one => seconds(one).map(|one| (one, one)),
    }
}

/// A timeout in seconds; null is the longest.
pub(super) fn seconds(value: &Value) -> Result<Duration, String> {
    let parsed = match value {
        Value::Null => return Ok(TIMEOUT_MAX),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    parsed
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|timeout| !timeout.is_zero())
        .map(|timeout| timeout.min(TIMEOUT_MAX))
        .ok_or_else(|| format!("{value} is no timeout: a number of seconds over 0 is expected"))
}

fn with_query(url: String, query: &str) -> String {
    if query.is_empty() {
        return url;
    }
    let (start, fragment) = match url.split_once('#') {
        Some((start, fragment)) => (start, format!("#{fragment}")),
        None => (url.as_str(), String::new()),
    };
    let join = match start.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    format!("{start}{join}{query}{fragment}")
}

/// `application/x-www-form-urlencoded`; a text stands as it is.
fn encode(arguments: &Value) -> String {
    let mut pairs = Vec::new();
    match arguments {
        Value::String(text) => return text.clone(),
        Value::Object(members) => {
            for (name, value) in members {
                encode_pair(name, value, &mut pairs);
            }
        }
        Value::Array(items) => {
            for item in items {
                if let Some([name, value]) = item.as_array().map(Vec::as_slice) {
                    encode_pair(&python::text(name), value, &mut pairs);
                }
            }
        }
        _ => {}
    }
    pairs.join("&")
}

/// A list is the name with each of its values, a mapping with each of its names.
fn encode_pair(name: &str, value: &Value, pairs: &mut Vec<String>) {
    let values: Vec<Value> = match value {
        Value::Array(values) => values.clone(),
        Value::Object(members) => members.keys().map(|key| json!(key)).collect(),
        one => vec![one.clone()],
    };
    for value in values.iter().filter(|value| !value.is_null()) {
        pairs.push(format!("{}={}", quote(name), quote(&python::text(value))));
    }
}

fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => quoted.push('+'),
            b'_' | b'.' | b'-' | b'~' => quoted.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => quoted.push(char::from(byte)),
            byte => quoted.push_str(&format!("%{byte:02X}")),
        }
    }
    quoted
}

impl HttpReply {
    /// `{status, headers, body}`; the body is JSON only if its type is exactly that, without parameters.
    pub(super) fn output(self) -> Result<Value, String> {
        let is_json = self.headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("content-type") && value == "application/json"
        });
        let body = if is_json {
            serde_json::from_slice(&self.body).map_err(|error| {
                format!("the body is not the JSON that it claims to be: {error}")
            })?
        } else {
            Value::String(String::from_utf8_lossy(&self.body).into_owned())
        };
        let headers: Map<String, Value> =
            self.headers.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        Ok(json!({ "status": self.status, "headers": headers, "body": body }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{HttpCall, HttpReply};
    use crate::substitution::Variables;

    fn call(provider: Value) -> HttpCall {
        let mut variables = Variables::default();
        variables.configuration.insert("host".to_owned(), json!("a:80"));
        variables.configuration.insert("n".to_owned(), json!(5));
        HttpCall::of(&provider, &variables).unwrap()
    }

    #[test]
    fn arguments_are_query_json_or_form() {
        let get = call(json!({
            "url": "http://${host}/x?y=1#z", "arguments": {"q": "a b&c", "n": "${n}", "l": [1, true], "o": null},
        }));
        assert_eq!(get.url, "http://a:80/x?y=1&l=1&l=True&n=5&q=a+b%26c#z");
        assert_eq!((get.method.as_str(), get.body.len()), ("GET", 0));
        let form = call(json!({"url": "u", "method": "post", "arguments": {"a": 1, "b": "é"}}));
        assert_eq!((form.method.as_str(), form.body.as_slice()), ("POST", &b"a=1&b=%C3%A9"[..]));
        assert_eq!(form.headers[0].1, "application/x-www-form-urlencoded");
        let headers = json!({"Content-Type": "application/json"});
        let typed = call(json!({
            "url": "u", "method": "PUT", "headers": headers, "arguments": {"n": "${n}"},
        }));
        assert_eq!(typed.body, b"{\"n\":5}");
        // Any other spelling is no JSON to Chaos Toolkit.
        let headers = json!({"content-type": "application/json"});
        let spelled = call(json!({
            "url": "u", "method": "PUT", "headers": headers, "arguments": {"n": 1},
        }));
        assert_eq!((spelled.body.as_slice(), spelled.headers.len()), (&b"n=1"[..], 1));
        let raw = call(json!({"url": "u", "method": "POST", "arguments": "<x/>"}));
        assert_eq!((raw.body.as_slice(), raw.headers.len()), (&b"<x/>"[..], 0));
    }

    #[test]
    fn timeouts_are_one_number_or_two() {
        let both = call(json!({"url": "u", "timeout": 0.5}));
        assert_eq!((both.connect_timeout.as_millis(), both.read_timeout.as_millis()), (500, 500));
        let two = call(json!({"url": "u", "timeout": [1, "${n}"]}));
        assert_eq!((two.connect_timeout.as_secs(), two.read_timeout.as_secs()), (1, 5));
        let wrong = HttpCall::of(&json!({"url": "u", "timeout": -1}), &Variables::default());
        assert!(wrong.unwrap_err().contains("no timeout"));
    }

    #[test]
    fn a_body_is_json_only_by_its_exact_type() {
        let reply = |kind: &str| HttpReply {
            status: 200,
            headers: vec![("Content-Type".to_owned(), kind.to_owned())],
            body: b"{\"a\": 1}".to_vec(),
        };
        let output = |kind: &str| reply(kind).output().unwrap()["body"].clone();
        assert_eq!(output("application/json"), json!({"a": 1}));
        assert_eq!(output("application/json; charset=utf-8"), json!("{\"a\": 1}"));
    }
}
