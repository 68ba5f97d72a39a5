//! Addresses and hostnames.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bulkhead_message::{Address, Network, NetworkError, UNIX_PREFIX, UnixName};

use super::Fault;
use crate::diagnostic::quote;
use crate::model::EndpointAddress;

/// Reads an IP address and port, or a Unix socket.
pub(super) fn read_listen_address(text: &str) -> Result<Address, Fault> {
    match text.strip_prefix(UNIX_PREFIX) {
        Some(name) => read_unix_name(name).map(Address::Unix),
        None if text.starts_with(['/', '@']) => {
            Err(Fault::new(format!("{} is not an IP address and port", quote(text)))
                .suggest(format!("{UNIX_PREFIX}{text}")))
        }
        None => read_address(text).map(Address::Inet),
    }
}

/// Reads the name of a Unix socket, without its prefix.
fn read_unix_name(name: &str) -> Result<UnixName, Fault> {
    if let Some(path) = name.strip_prefix("//") {
        return Err(Fault::new("a Unix socket is no URL").suggest(format!("{UNIX_PREFIX}{path}")));
    }
    UnixName::parse(name).map_err(|error| Fault::new(error.to_string()))
}

/// Reads an IP address and port.
pub(super) fn read_address(text: &str) -> Result<SocketAddr, Fault> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let fault = Fault::new(format!("{} is not an IP address and port", quote(text)));
    if let Some(port) = text.strip_prefix(':')
        && port.parse::<u16>().is_ok()
    {
        return Err(fault.suggest(format!("0.0.0.0:{port}")));
    }
    if text.parse::<u16>().is_ok() {
        return Err(fault.suggest(format!("0.0.0.0:{text}")));
    }
    if let Some(port) = text.strip_prefix("localhost:")
        && port.parse::<u16>().is_ok()
    {
        return Err(fault.suggest(format!("127.0.0.1:{port}")));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(fault.remedy(format!("write an IPv6 address in brackets: `[{text}]:8080`")));
    }
    if text.parse::<IpAddr>().is_ok() {
        return Err(fault.remedy(format!("add the port: `{text}:8080`")));
    }
    Err(if text.contains("://") { fault.remedy("leave the scheme out") } else { fault })
}

/// Reads a network, or an address, which is a network of its own.
pub(super) fn read_network(text: &str) -> Result<Network, Fault> {
    text.parse().map_err(|error| {
        let fault = Fault::not(text, "a network");
        match error {
            NetworkError::Address => fault,
            NetworkError::Prefix => fault.remedy("write the length of the prefix: `10.0.0.0/8`"),
            NetworkError::TooLong(_) => fault.remedy(error.to_string()),
            NetworkError::NotFirst(network) => fault.suggest(network.to_string()),
        }
    })
}

/// Reads `10.0.0.1:80`, `[::1]:80`, `name:80`, `unix:/path`.
pub(crate) fn read_endpoint(text: &str) -> Result<EndpointAddress, Fault> {
    let fault = || Fault::new(format!("{} is not an address and port", quote(text)));
    if let Some(name) = text.strip_prefix(UNIX_PREFIX) {
        return read_unix_name(name).map(EndpointAddress::Unix);
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return if address.port() == 0 {
            Err(Fault::new("an endpoint cannot have port 0"))
        } else {
            Ok(EndpointAddress::Socket(address))
        };
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        let remedy = match scheme {
            "https" | "h2" => "leave the scheme out; `tls: {}` on the cluster turns TLS on",
            _ => "leave the scheme out; `protocol` on the cluster says which one is spoken",
        };
        let fault = fault().remedy(remedy);
        let rest = rest.trim_end_matches('/');
        return Err(if rest.contains(':') { fault.suggest(rest) } else { fault });
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(fault().remedy(format!("add the port: `{}:80`", text.trim())));
    };
    let port = match port.parse::<u16>() {
        Ok(0) | Err(_) => return Err(Fault::new(format!("{} is not a port", quote(port)))),
        Ok(port) => port,
    };
    if host.parse::<Ipv6Addr>().is_ok() {
        return Err(fault().suggest(format!("[{host}]:{port}")));
    }
    if !is_dns_name(host) {
        return Err(Fault::new(format!("{} is not a hostname", quote(host))));
    }
    Ok(EndpointAddress::Name { host: host.to_ascii_lowercase(), port })
}

/// Reads a hostname, exact or `*.suffix`, into lower case.
pub(super) fn read_hostname(text: &str) -> Result<String, Fault> {
    let suffix = text.strip_prefix("*.").unwrap_or(text);
    if is_dns_name(suffix) || is_address_in_authority(text) {
        return Ok(text.to_ascii_lowercase());
    }
    let fault = Fault::new(format!("{} is not a hostname", quote(text)));
    Err(match text {
        "*" => fault.remedy("leave `hostnames` out to match any host"),
        _ if text.contains("://") => fault.remedy("leave scheme and path out"),
        _ if text.contains('*') => {
            fault.remedy("a wildcard is the whole first label: `*.example.com`")
        }
        _ if text.contains(':') => fault.remedy("leave the port out: hosts are matched without it"),
        _ => fault,
    })
}

/// Reads the host of an authority.
pub(super) fn read_host(text: &str) -> Result<String, Fault> {
    if is_dns_name(text) || is_address_in_authority(text) {
        return Ok(text.to_ascii_lowercase());
    }
    let fault = Fault::new(format!("{} is not a hostname", quote(text)));
    Err(match text {
        _ if text.parse::<Ipv6Addr>().is_ok() => fault.suggest(format!("[{text}]")),
        _ if text.contains(':') => fault.remedy("leave scheme and port out"),
        _ => fault,
    })
}

/// Reads an origin: scheme, host with or without `*.`, and port unless it is the scheme's own.
pub(super) fn read_origin(text: &str) -> Result<String, Fault> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    let fault = || Fault::new(format!("{} is not an origin", quote(text)));
    let Some((scheme, authority)) = text.split_once("://") else {
        return Err(fault().remedy(format!("begin with the scheme: `https://{text}`")));
    };
    let bare = authority.trim_end_matches('/');
    if bare != authority {
        return Err(fault().suggest(format!("{scheme}://{bare}")));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let named = host.strip_prefix("*.").unwrap_or(host);
    let is_host = is_dns_name(named) || (named == host && is_address_in_authority(host));
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !is_host || !is_scheme || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err(fault());
    }
    let lower = text.to_ascii_lowercase();
    match (scheme.to_ascii_lowercase().as_str(), port) {
        ("https", Some("443")) | ("http", Some("80")) => {
            // Browsers leave it out, so it would never match.
            let (bare, _) = lower.rsplit_once(':').unwrap_or((&lower, ""));
            Err(fault().suggest(bare))
        }
        _ => Ok(lower),
    }
}

/// Reads a hostname or an IP address.
pub(super) fn read_server_name(text: &str) -> Result<String, Fault> {
    if is_dns_name(text) || text.parse::<IpAddr>().is_ok() {
        return Ok(text.to_ascii_lowercase());
    }
    let fault = Fault::new(format!("{} is not a hostname", quote(text)));
    Err(if text.contains(':') { fault.remedy("leave scheme and port out") } else { fault })
}

/// Whether `text` is an IP address as it stands in an authority (RFC 3986 §3.2.2).
fn is_address_in_authority(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => text.parse::<Ipv4Addr>().is_ok(),
    }
}

/// Whether `text` is a name of the kind that DNS resolves: labels of letters, digits, `-` and `_`,
/// at most 63 each and 253 in all. A text of digits and dots alone is a mistyped address.
pub(crate) fn is_dns_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    text.len() <= 253
        && text.split('.').all(label)
        && !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}
