//! Who asked, as proxies before us tell: `x-forwarded-for` and `forwarded` (RFC 7239). Anybody can
//! write these fields: what they say is a claim, and a claim that cannot be read is no address.

use std::net::{IpAddr, SocketAddr};

use crate::{Fields, Known, trim_ows};

/// Entries that are looked at; whoever is behind more proxies is told apart no further.
pub const FORWARDED_ENTRIES_MAX: usize = 64;

/// The nodes of `x-forwarded-for`, the nearest first. `None`: an entry that is no address.
pub fn x_forwarded_for(fields: &Fields) -> impl Iterator<Item = Option<IpAddr>> {
    let values = fields.iter().rev().filter(|field| field.known == Known::XForwardedFor);
    values
        .flat_map(|field| field.value.rsplit(|&byte| byte == b','))
        .take(FORWARDED_ENTRIES_MAX)
        .map(|entry| node(trim_ows(entry)))
}

/// The `for` nodes of `forwarded`, the nearest first. `None`: an entry that is no address: an
/// obfuscated identifier, `unknown`, an element without `for`, or one that is malformed.
pub fn forwarded_for(fields: &Fields) -> impl Iterator<Item = Option<IpAddr>> {
    let values = fields.iter().rev().filter(|field| field.known == Known::Forwarded);
    values
        .flat_map(|field| elements(field.value).into_iter().rev())
        .take(FORWARDED_ENTRIES_MAX)
        .map(|element| element.node)
}

/// An address with or without port, in brackets or not: what proxies write.
fn node(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let address = text
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()))
        .ok()
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
        .or_else(|| obfuscated_port(text))?;
    Some(address.to_canonical())
}

/// RFC 7239 §6.3: the port may be an obfuscated identifier as well.
fn obfuscated_port(text: &str) -> Option<IpAddr> {
    let (address, port) = text.rsplit_once(':')?;
    if !port.starts_with('_') {
        return None;
    }
    match address.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => address.parse().ok().map(IpAddr::V4),
    }
}

/// What one element of `forwarded` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Element {
    node: Option<IpAddr>,
    secure: Option<bool>,
}

/// The elements of one `forwarded` value, in order. What cannot be read makes its own element
/// unknown; a quote that is not closed, all the rest.
fn elements(value: &[u8]) -> Vec<Element> {
    let mut elements = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, &byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                elements.push(element(value.get(start..at).unwrap_or(&[])).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    let last = value.get(start..).unwrap_or(&[]);
    elements.push(if quoted { None } else { element(last) }.unwrap_or_default());
    elements
}

/// `None`: it is malformed, or says the same thing twice.
fn element(text: &[u8]) -> Option<Element> {
    let (mut nodes, mut schemes) = (0, 0);
    let mut element = Element::default();
    // No address and no scheme has a `;`, so a quoted one cuts only what is unknown anyway.
    for pair in text.split(|&byte| byte == b';') {
        let pair = trim_ows(pair);
        let at = memchr::memchr(b'=', pair)?;
        let (name, value) = (pair.get(..at)?, pair.get(at + 1..)?);
        let value = match value {
            [b'"', inner @ .., b'"'] => inner,
            // RFC 7239 §4: a colon must be quoted, but not everybody does.
            bare => bare,
        };
        if name.eq_ignore_ascii_case(b"for") {
            nodes += 1;
            element.node = node(value);
        } else if name.eq_ignore_ascii_case(b"proto") {
            schemes += 1;
            element.secure = is_secure(value);
        }
    }
    (nodes < 2 && schemes < 2).then_some(element)
}

/// Whether a scheme is `https`; `None`: it is neither that nor `http`.
fn is_secure(scheme: &[u8]) -> Option<bool> {
    let is = |name: &[u8]| scheme.eq_ignore_ascii_case(name);
    if is(b"https") { Some(true) } else { is(b"http").then_some(false) }
}

/// Whether the nearest proxy was asked over TLS, by `x-forwarded-proto`; `None`: it does not say so
/// in one word.
pub fn x_forwarded_proto(fields: &Fields) -> Option<bool> {
    let mut values = fields.get_all(Known::XForwardedProto);
    let value = values.next()?;
    if values.next().is_some() { None } else { is_secure(value) }
}

/// Whether the nearest proxy was asked over TLS, by `forwarded`.
pub fn forwarded_proto(fields: &Fields) -> Option<bool> {
    let last = fields.iter().rev().find(|field| field.known == Known::Forwarded)?;
    elements(last.value).last()?.secure
}

/// Appends the element of `forwarded` that tells of one hop.
///
/// `host` is quoted where it is no token (RFC 7239 §4).
pub fn push_forwarded(client: Option<IpAddr>, host: &[u8], proto: &str, out: &mut Vec<u8>) {
    match client {
        Some(IpAddr::V4(address)) => out.extend_from_slice(format!("for={address}").as_bytes()),
        Some(IpAddr::V6(address)) => {
            out.extend_from_slice(format!("for=\"[{address}]\"").as_bytes());
        }
        None => out.extend_from_slice(b"for=unknown"),
    }
    if crate::is_token(host) {
        out.extend_from_slice(b";host=");
        out.extend_from_slice(host);
    } else if crate::is_host(host) {
        // A host has neither quotes nor backslashes.
        out.extend_from_slice(b";host=\"");
        out.extend_from_slice(host);
        out.push(b'"');
    }
    out.extend_from_slice(b";proto=");
    out.extend_from_slice(proto.as_bytes());
}

#[cfg(test)]
mod tests;
