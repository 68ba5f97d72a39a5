//! Where requests go: a URL whose path may hold placeholders.

use std::net::{SocketAddr, ToSocketAddrs};

use anyhow::{Context, bail, ensure};
use bulkhead_load::{Protocol, Random};

/// A target, parsed but not yet looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) protocol: Protocol,
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
        let protocol = match scheme {
            "http" => Protocol::Http1,
            "h2c" => Protocol::Http2,
            "https" | "h2" => bail!(
                "{scheme}:// is not there yet: load goes over cleartext only; use http:// \
                 (HTTP/1.1) or h2c:// (HTTP/2)"
            ),
            _ => {
                bail!("`{scheme}` is no scheme of load; use http:// (HTTP/1.1) or h2c:// (HTTP/2)")
            }
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
        let endpoint = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        Ok(Self {
            protocol,
            authority: authority.to_owned(),
            endpoint,
            path: Template::parse(&path)?,
        })
    }

    /// Looks the host up; the first address counts.
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        let found = self.endpoint.to_socket_addrs();
        let mut found = found.with_context(|| format!("look up `{}`", self.endpoint))?;
        found.next().with_context(|| format!("`{}` has no address", self.endpoint))
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
    fn parse(text: &str) -> anyhow::Result<Self> {
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
