//! Where requests go: a URL whose path may hold placeholders.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bulkhead_load::{Protocol, Random};

/// Longest wait for one of several addresses.
const PROBE: Duration = Duration::from_secs(1);

/// A target, parsed but not yet looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) protocol: Protocol,
    pub(crate) secure: bool,
    /// Host, and port if it was given; as sent.
    pub(crate) authority: String,
    /// Host and port to connect to.
    endpoint: String,
    pub(crate) path: Template,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// If it is none, or asks for what is not there yet; the text says what to do.
    pub(crate) fn parse(url: &str) -> anyhow::Result<Self> {
        let (scheme, rest) = url
            .split_once("://")
            .context("a URL such as http://127.0.0.1:8080/ or h2c://127.0.0.1:8080/ is expected")?;
        let (protocol, secure) = match scheme {
            "http" => (Protocol::Http1, false),
            "https" => (Protocol::Http1, true),
            "h2c" => (Protocol::Http2, false),
            "h2" => (Protocol::Http2, true),
            "ws" => (Protocol::WebSocket, false),
            "wss" => (Protocol::WebSocket, true),
            _ => bail!(
                "`{scheme}` is no scheme of load; use http:// or https:// (HTTP/1.1), h2c:// or \
                 h2:// (HTTP/2, in cleartext and over TLS), ws:// or wss:// (WebSocket)"
            ),
        };
        let rest = rest.split('#').next().unwrap_or(rest);
        let path_at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(path_at);
        ensure!(!authority.is_empty(), "the URL `{url}` has no host");
        ensure!(
            authority.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'@'),
            "the host `{authority}` may have no user, spaces or letters beyond ASCII"
        );
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let after_address = authority.rfind(']').unwrap_or(0);
        let has_port = authority[after_address..].contains(':');
        let port = if secure { 443 } else { 80 };
        let endpoint = if has_port { authority.to_owned() } else { format!("{authority}:{port}") };
        Ok(Self {
            protocol,
            secure,
            authority: authority.to_owned(),
            endpoint,
            path: Template::parse(&path)?,
        })
    }

    /// The host alone: what a certificate must name.
    pub(crate) fn host(&self) -> &str {
        let authority = &*self.authority;
        if let Some((address, _port)) = authority.strip_prefix('[').and_then(|a| a.split_once(']'))
        {
            return address;
        }
        authority.split_once(':').map_or(authority, |(host, _port)| host)
    }

    /// Connects to another host and port than the URL names; what is sent stays the same.
    pub(crate) fn connect_to(&mut self, endpoint: &str) {
        endpoint.clone_into(&mut self.endpoint);
    }

    /// Looks the host up. Of several addresses (`localhost` is often both 127.0.0.1 and ::1) the first
    /// that takes a connection counts, or the first of all if none does.
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        let found = self.endpoint.to_socket_addrs();
        let found = found.with_context(|| format!("look up `{}`", self.endpoint))?;
        let found: Vec<SocketAddr> = found.collect();
        let takes = |address: &&SocketAddr| TcpStream::connect_timeout(address, PROBE).is_ok();
        let choice = match &*found {
            [_, _, ..] => found.iter().find(takes),
            _ => None,
        };
        choice
            .or_else(|| found.first())
            .copied()
            .with_context(|| format!("`{}` has no address", self.endpoint))
    }
}

/// Text with placeholders of the form `{name:uniform(low,high)}`, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Uniform { low: u64, count: u64 },
}

impl Template {
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        ensure!(
            text.bytes().all(|byte| byte.is_ascii_graphic()),
            "the path `{text}` holds spaces or letters beyond ASCII; write them as %20 and so on"
        );
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (placeholder, after) =
                after.split_once('}').with_context(|| format!("`{{{after}` has no `}}`"))?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(uniform(placeholder).with_context(|| {
                format!("`{{{placeholder}}}` is not of the form {{name:uniform(1,1000)}}")
            })?);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// Its text, if it has no placeholders.
    pub(crate) fn fixed(&self) -> Option<&str> {
        match &*self.0 {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Writes it with numbers drawn from `random`.
    pub(crate) fn push(&self, random: &mut Random, out: &mut Vec<u8>) {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Uniform { low, count } => {
                    let number = low + random.below(*count);
                    out.extend_from_slice(number.to_string().as_bytes());
                }
            }
        }
    }
}

fn uniform(placeholder: &str) -> Option<Part> {
    let (_name, kind) = placeholder.split_once(':')?;
    let bounds = kind.strip_prefix("uniform(")?.strip_suffix(')')?;
    let (low, high) = bounds.split_once(',')?;
    let (low, high): (u64, u64) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
    let count = high.checked_sub(low)?.checked_add(1)?;
    Some(Part::Uniform { low, count })
}

#[cfg(test)]
mod tests;
