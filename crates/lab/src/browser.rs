//! Browsers are refused by the lab's servers: a web page may send requests to loopback without being
//! asked, and must not be able to break the machine it is looked at from.

use hyper::header::{HeaderMap, HeaderValue, ORIGIN, USER_AGENT};

/// Whether a request comes from a browser. Old ones say at least what they are.
pub(crate) fn is_from_browser(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).map_or(&b""[..], HeaderValue::as_bytes);
    headers.contains_key(ORIGIN)
        || headers.contains_key("sec-fetch-site")
        || agent.starts_with(b"Mozilla/")
}
