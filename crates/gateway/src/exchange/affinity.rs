//! What ties a request to an endpoint: a hash of what it says, or of a cookie that it is given.
//!
//! The cookie names no endpoint: its value is a random number, and its hash chooses one. So it means
//! the same to every worker and every gateway, tells a client nothing, and outlives endpoints: when
//! they change, most cookies still lead where they led.

use std::net::IpAddr;

use bulkhead_config::model::{AffinityCookie, HashSource};
use bulkhead_message::{Fields, Known, RequestHead, ResponseHead};
use bulkhead_upstream::{Rng, stable_hash};

use crate::snapshot::BackendEntry;

/// What an exchange sticks to, as plain data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Affinity {
    /// `None`: nothing.
    pub(crate) hash: Option<u64>,
    /// Value of the cookie that the client is to be given.
    cookie: Option<u64>,
}

impl Affinity {
    /// By the first source that the request has; a cookie that is not there is made up.
    pub(super) fn of(
        sources: &[HashSource],
        head: &RequestHead,
        client: Option<IpAddr>,
        rng: &mut Rng,
    ) -> Self {
        for source in sources {
            let hash = match source {
                HashSource::Header(name) => head.fields.get_named(name.as_bytes()).map(stable_hash),
                HashSource::QueryParam(name) => query_value(head, name.as_bytes()).map(stable_hash),
                HashSource::SourceIp => client.map(hash_of_ip),
                HashSource::Cookie(cookie) => {
                    let sent = cookie_value(&head.fields, cookie.name.as_bytes());
                    match sent.filter(|value| !value.is_empty()) {
                        Some(value) => Some(stable_hash(value)),
                        None => return Self::with_new_cookie(rng.next()),
                    }
                }
            };
            if hash.is_some() {
                return Self { hash, cookie: None };
            }
        }
        Self::default()
    }

    /// Gives the client the cookie that its request lacked.
    #[inline]
    pub(super) fn set_cookie(
        self,
        backend: Option<&BackendEntry>,
        secure: bool,
        head: &mut ResponseHead,
    ) {
        let (Some(value), Some(backend)) = (self.cookie, backend) else { return };
        let cookie = backend.hash_on.iter().find_map(|source| match source {
            HashSource::Cookie(cookie) => Some(cookie),
            _ => None,
        });
        if let Some(cookie) = cookie {
            let text = set_cookie_value(cookie, value, secure);
            head.fields.push_known(Known::SetCookie, text.as_bytes());
        }
    }

    fn with_new_cookie(value: u64) -> Self {
        let hash = stable_hash(cookie_text(value).as_bytes());
        Self { hash: Some(hash), cookie: Some(value) }
    }
}

/// RFC 6265 §4.1.1.
fn set_cookie_value(cookie: &AffinityCookie, value: u64, secure: bool) -> String {
    let AffinityCookie { name, ttl, path } = cookie;
    let value = cookie_text(value);
    let max_age = ttl.map_or(String::new(), |ttl| format!("; Max-Age={}", ttl.as_secs()));
    let secure = if secure { "; Secure" } else { "" };
    format!("{name}={value}; Path={path}{max_age}; HttpOnly; SameSite=Lax{secure}")
}

fn cookie_text(value: u64) -> String {
    format!("{value:016x}")
}

/// Value of the first cookie of a name (RFC 6265 §4.2.1).
fn cookie_value<'a>(fields: &'a Fields, name: &[u8]) -> Option<&'a [u8]> {
    fields
        .get_all(Known::Cookie)
        .flat_map(|field| field.split(|&byte| byte == b';'))
        .find_map(|pair| value_of(pair.trim_ascii(), name))
}

fn query_value<'a>(head: &'a RequestHead, name: &[u8]) -> Option<&'a [u8]> {
    head.query()?.split(|&byte| byte == b'&').find_map(|pair| value_of(pair, name))
}

/// The value of `name=value`.
fn value_of<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    pair.strip_prefix(name)?.strip_prefix(b"=")
}

/// An IPv4 client is the same over a socket that takes both families.
pub(crate) fn hash_of_ip(ip: IpAddr) -> u64 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => stable_hash(&ip.octets()),
        IpAddr::V6(ip) => stable_hash(&ip.octets()),
    }
}

#[cfg(test)]
mod tests;
