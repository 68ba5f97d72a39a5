//! URLs of targets: which protocol, with or without TLS, where to, and a path. Looks no name up.

use bulkhead_load::Protocol;
use bulkhead_message::{Scheme, is_host};

/// Longest URL that is taken.
const URL_BYTES_MAX: usize = 8_192;

/// A server, as a URL names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Of the connections.
    pub protocol: Protocol,
    /// Whether there is TLS.
    pub tls: bool,
    /// Host, and port if it was given; as sent.
    pub authority: String,
    /// Name or address, without brackets.
    pub host: String,
    /// Port, given or the scheme's own.
    pub port: u16,
}

/// Why a text is no URL of a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// There is no `://`.
    #[error("the URL has no scheme")]
    NoScheme,
    /// A scheme that load does not speak.
    #[error("`{0}` is no scheme of load")]
    Scheme(String),
    /// Nothing stands between the scheme and the path.
    #[error("the URL has no host")]
    NoHost,
    /// The host has bytes that no host has, or a user.
    #[error("the host of the URL holds what no host may hold")]
    Host,
    /// The port is no number from 1 to 65535.
    #[error("the port of the URL is no number from 1 to 65535")]
    Port,
    /// Longer than 8,192 bytes.
    #[error("the URL is longer than {URL_BYTES_MAX} bytes")]
    Long,
}

impl EndpointError {
    /// What to write instead.
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Host => "a host has no user, no spaces and no letters beyond ASCII",
            Self::Port | Self::Long => "an example is http://127.0.0.1:8080",
            _ => {
                "use http:// or https:// for HTTP/1.1, h2c:// or h2:// for HTTP/2 without and with TLS"
            }
        }
    }
}

impl Endpoint {
    /// Reads a URL of a file, which may name HTTP servers only and has at most 8,192 bytes; gives its path
    /// with query as well, which is at least `/`.
    ///
    /// # Errors
    /// If it is no URL of a target.
    pub fn parse(url: &str) -> Result<(Self, String), EndpointError> {
        if url.len() > URL_BYTES_MAX {
            return Err(EndpointError::Long);
        }
        let (endpoint, path) = Self::parse_any(url)?;
        if endpoint.protocol == Protocol::WebSocket {
            let scheme = url.split("://").next().unwrap_or_default();
            return Err(EndpointError::Scheme(scheme.to_owned()));
        }
        Ok((endpoint, path))
    }

    /// The same with WebSocket too, and of any length.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_any(url: &str) -> Result<(Self, String), EndpointError> {
        let (scheme, rest) = url.split_once("://").ok_or(EndpointError::NoScheme)?;
        let (protocol, tls) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (Protocol::Http1, false),
            "https" => (Protocol::Http1, true),
            "h2c" => (Protocol::Http2, false),
            "h2" => (Protocol::Http2, true),
            "ws" => (Protocol::WebSocket, false),
            "wss" => (Protocol::WebSocket, true),
            _ => return Err(EndpointError::Scheme(scheme.chars().take(40).collect())),
        };
        let rest = rest.split('#').next().unwrap_or(rest);
        let path_at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(path_at);
        if authority.is_empty() {
            return Err(EndpointError::NoHost);
        }
        if !is_host(authority.as_bytes()) {
            return Err(EndpointError::Host);
        }
        let (host, port) = split_port(authority)?;
        if host.is_empty() {
            return Err(EndpointError::NoHost);
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let endpoint = Self {
            protocol,
            tls,
            authority: authority.to_owned(),
            host: host.to_owned(),
            port: port.unwrap_or(if tls { 443 } else { 80 }),
        };
        Ok((endpoint, path))
    }

    /// The scheme that its requests have.
    pub const fn scheme(&self) -> Scheme {
        if self.tls { Scheme::Https } else { Scheme::Http }
    }
}

/// Host without brackets, and the port if there is one.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), EndpointError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or(EndpointError::Host)?;
            match after {
                "" => (host, None),
                _ => (host, Some(after.strip_prefix(':').ok_or(EndpointError::Host)?)),
            }
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = port.map(|port| match port.parse::<u16>() {
        Ok(number) if number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => Ok(number),
        _ => Err(EndpointError::Port),
    });
    Ok((host, port.transpose()?))
}

#[cfg(test)]
mod tests;
