//! Where requests go: a URL whose path may hold placeholders.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use bulkhead_load::Random;
use bulkhead_scenario::{Endpoint, EndpointError};

/// Longest wait for one of several addresses.
const PROBE: Duration = Duration::from_secs(1);

/// A target, parsed but not yet looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Server, as the URL names it; its authority is what is sent.
    pub(crate) endpoint: Endpoint,
    /// Where to connect instead.
    connect_to: Option<String>,
    pub(crate) path: Template,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// If it is none; the text says what to do.
    pub(crate) fn parse(url: &str) -> anyhow::Result<Self> {
        let (endpoint, path) = Endpoint::parse_any(url).map_err(|fault| match fault {
            EndpointError::Scheme(_) => {
                anyhow!("{fault}; {}; ws:// or wss:// for WebSocket", fault.remedy())
            }
            fault => anyhow!("{fault}: `{url}`; {}", fault.remedy()),
        })?;
        Ok(Self { endpoint, connect_to: None, path: Template::parse(&path)? })
    }

    /// Connects to another host and port than the URL names; what is sent stays the same.
    pub(crate) fn connect_to(&mut self, host_and_port: &str) {
        self.connect_to = Some(host_and_port.to_owned());
    }

    /// Looks the host up.
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        match &self.connect_to {
            Some(other) => look_up(other.as_str(), other),
            None => address_of(&self.endpoint),
        }
    }
}

/// Looks a server up.
pub(crate) fn address_of(endpoint: &Endpoint) -> anyhow::Result<SocketAddr> {
    look_up((endpoint.host.as_str(), endpoint.port), &endpoint.authority)
}

/// Of several addresses (`localhost` is often both 127.0.0.1 and ::1) the first that takes a connection
/// counts, or the first of all if none does.
fn look_up(server: impl ToSocketAddrs, name: &str) -> anyhow::Result<SocketAddr> {
    let found = server.to_socket_addrs().with_context(|| format!("look up `{name}`"))?;
    let found: Vec<SocketAddr> = found.collect();
    let takes = |address: &&SocketAddr| TcpStream::connect_timeout(address, PROBE).is_ok();
    let choice = match &*found {
        [_, _, ..] => found.iter().find(takes),
        _ => None,
    };
    let choice = choice.or_else(|| found.first()).copied();
    choice.with_context(|| format!("`{name}` has no address"))
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
