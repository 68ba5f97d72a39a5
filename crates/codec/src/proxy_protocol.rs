//! The PROXY protocol, versions 1 and 2: who the client is, told in front of what it says. The
//! specification is HAProxy's `proxy-protocol.txt`.
//!
//! Read strictly: what does not follow the specification to the letter is refused, since a header
//! decides who a client is believed to be. TLVs are checked for their lengths and skipped.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Longest header that is taken, in bytes, with its TLVs. The specification asks for 536 at least.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Longest header of version 1, with its line end (§2.1).
const V1_BYTES_MAX: usize = 107;
const V1_SIGNATURE: &[u8] = b"PROXY ";
const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const V2_FIXED_BYTES: usize = 16;

/// Version of a header that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// Ends of the connection that a header tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proxied {
    /// The client.
    pub source: SocketAddr,
    /// Where it connected to.
    pub destination: SocketAddr,
}

/// What stands at the beginning of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// More bytes are needed to tell.
    Incomplete,
    /// No header.
    Absent,
    /// A header of so many bytes.
    Header {
        /// Whom it tells of; `None`: nobody, the addresses of the connection itself hold (`LOCAL`,
        /// `UNKNOWN`, `UNSPEC`, or Unix sockets at the sender).
        proxied: Option<Proxied>,
        /// Bytes in front of what the client says.
        length: usize,
    },
}

/// Why a header is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyError {
    /// It is longer than its version allows.
    TooLong,
    /// It does not follow the specification.
    Malformed,
    /// Its version, command, family or transport is none of a stream connection's.
    Unsupported,
}

impl ProxyError {
    /// Fixed text in `snake_case`, for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "proxy_header_too_long",
            Self::Malformed => "proxy_header_malformed",
            Self::Unsupported => "proxy_header_unsupported",
        }
    }
}

/// Reads the header at the beginning of `input`, if there is one.
///
/// # Errors
/// It begins as a header and is none.
pub fn parse(input: &[u8]) -> Result<Start, ProxyError> {
    if begins(input, V2_SIGNATURE) {
        return if input.len() < V2_FIXED_BYTES { Ok(Start::Incomplete) } else { parse_v2(input) };
    }
    if begins(input, V1_SIGNATURE) {
        return if input.len() < V1_SIGNATURE.len() {
            Ok(Start::Incomplete)
        } else {
            parse_v1(input)
        };
    }
    Ok(Start::Absent)
}

/// Whether `input` is a beginning of `signature`, or begins with it.
fn begins(input: &[u8], signature: &[u8]) -> bool {
    let compared = input.len().min(signature.len());
    input.get(..compared) == signature.get(..compared)
}

fn parse_v1(input: &[u8]) -> Result<Start, ProxyError> {
    let window = input.get(..V1_BYTES_MAX).unwrap_or(input);
    let Some(end) = window.iter().position(|&byte| byte == b'\n') else {
        let over = window.len() == V1_BYTES_MAX;
        return if over { Err(ProxyError::TooLong) } else { Ok(Start::Incomplete) };
    };
    let line = window.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.and_then(|line| line.strip_prefix(V1_SIGNATURE));
    let text = line.and_then(|line| std::str::from_utf8(line).ok()).ok_or(ProxyError::Malformed)?;
    let length = end + 1;
    if text == "UNKNOWN" || text.starts_with("UNKNOWN ") {
        return Ok(Start::Header { proxied: None, length });
    }
    let mut words = text.split(' ');
    let family = words.next().unwrap_or_default();
    let mut address = || -> Option<IpAddr> {
        let word = words.next()?;
        match family {
            "TCP4" => word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let (source, destination) = address().zip(address()).ok_or(ProxyError::Malformed)?;
    let ports = words.next().and_then(port).zip(words.next().and_then(port));
    match (ports, words.next()) {
        (Some((from, to)), None) => {
            let source = SocketAddr::new(source, from);
            let destination = SocketAddr::new(destination, to);
            Ok(Start::Header { proxied: Some(Proxied { source, destination }), length })
        }
        _ => Err(ProxyError::Malformed),
    }
}

/// Decimal digits without a sign or leading zeros.
fn port(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit());
    (plain && (word == "0" || !word.starts_with('0'))).then(|| word.parse().ok()).flatten()
}

fn parse_v2(input: &[u8]) -> Result<Start, ProxyError> {
    let rest = input.get(V2_SIGNATURE.len()..).unwrap_or_default();
    let Some((&[command, family, high, low], rest)) = rest.split_first_chunk() else {
        return Ok(Start::Incomplete);
    };
    let body_bytes = usize::from(u16::from_be_bytes([high, low]));
    let length = V2_FIXED_BYTES + body_bytes;
    // The high half is the version.
    if !matches!(command, 0x20 | 0x21) {
        return Err(ProxyError::Unsupported);
    }
    if length > HEADER_BYTES_MAX {
        return Err(ProxyError::TooLong);
    }
    let Some(body) = rest.get(..body_bytes) else { return Ok(Start::Incomplete) };
    if command == 0x20 {
        // LOCAL: the sender itself, for instance its health check. The rest means nothing.
        return Ok(Start::Header { proxied: None, length });
    }
    let (proxied, tlvs) = match family {
        0x00 => (None, body),
        0x11 => v4(body).ok_or(ProxyError::Malformed)?,
        0x21 => v6(body).ok_or(ProxyError::Malformed)?,
        // Two paths of 108 bytes each.
        0x31 => (None, body.get(216..).ok_or(ProxyError::Malformed)?),
        _ => return Err(ProxyError::Unsupported),
    };
    // What follows an unspecified family is to be ignored, whatever it is.
    if family != 0x00 && !are_tlvs(tlvs) {
        return Err(ProxyError::Malformed);
    }
    Ok(Start::Header { proxied, length })
}

fn v4(body: &[u8]) -> Option<(Option<Proxied>, &[u8])> {
    let (source, rest) = body.split_first_chunk::<4>()?;
    let (destination, rest) = rest.split_first_chunk::<4>()?;
    ports((*source).into(), (*destination).into(), rest)
}

fn v6(body: &[u8]) -> Option<(Option<Proxied>, &[u8])> {
    let (source, rest) = body.split_first_chunk::<16>()?;
    let (destination, rest) = rest.split_first_chunk::<16>()?;
    ports((*source).into(), (*destination).into(), rest)
}

fn ports(source: IpAddr, destination: IpAddr, rest: &[u8]) -> Option<(Option<Proxied>, &[u8])> {
    let (from, rest) = rest.split_first_chunk::<2>()?;
    let (to, rest) = rest.split_first_chunk::<2>()?;
    let source = SocketAddr::new(source, u16::from_be_bytes(*from));
    let destination = SocketAddr::new(destination, u16::from_be_bytes(*to));
    Some((Some(Proxied { source, destination }), rest))
}

/// Whether all of it is TLVs: type, length, value.
fn are_tlvs(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        let Some((&[_, high, low], values)) = rest.split_first_chunk() else { return false };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some(next) = values.get(length..) else { return false };
        rest = next;
    }
    true
}

/// Appends a header that tells of these ends; `None`: of a client whose address is not known.
pub fn encode(version: ProxyVersion, proxied: Option<Proxied>, out: &mut Vec<u8>) {
    let proxied = proxied.map(same_family);
    match version {
        ProxyVersion::V1 => encode_v1(proxied, out),
        ProxyVersion::V2 => encode_v2(proxied, out),
    }
}

/// A header has one family for both ends.
fn same_family(proxied: Proxied) -> Proxied {
    let Proxied { source, destination } = proxied;
    let canonical =
        |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    let (source, destination) = (canonical(source), canonical(destination));
    if source.is_ipv4() == destination.is_ipv4() {
        return Proxied { source, destination };
    }
    let mapped = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    };
    Proxied { source: mapped(source), destination: mapped(destination) }
}

fn encode_v1(proxied: Option<Proxied>, out: &mut Vec<u8>) {
    let line = match proxied {
        None => "PROXY UNKNOWN\r\n".to_owned(),
        Some(Proxied { source, destination }) => format!(
            "PROXY {} {} {} {} {}\r\n",
            if source.is_ipv4() { "TCP4" } else { "TCP6" },
            source.ip(),
            destination.ip(),
            source.port(),
            destination.port()
        ),
    };
    out.extend_from_slice(line.as_bytes());
}

fn encode_v2(proxied: Option<Proxied>, out: &mut Vec<u8>) {
    out.extend_from_slice(V2_SIGNATURE);
    let Some(Proxied { source, destination }) = proxied else {
        return out.extend_from_slice(&[0x21, 0x00, 0, 0]);
    };
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            out.extend_from_slice(&[0x21, 0x11, 0, 12]);
            out.extend_from_slice(&source.octets());
            out.extend_from_slice(&destination.octets());
        }
        (source, destination) => {
            let octets = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                IpAddr::V6(ip) => ip.octets(),
            };
            out.extend_from_slice(&[0x21, 0x21, 0, 36]);
            out.extend_from_slice(&octets(source));
            out.extend_from_slice(&octets(destination));
        }
    }
    out.extend_from_slice(&source.port().to_be_bytes());
    out.extend_from_slice(&destination.port().to_be_bytes());
}

#[cfg(test)]
mod tests;
