//! Hostnames: which trees a request's authority leads to, the most specific one first.

use std::collections::HashMap;

use crate::error::CompileErrorKind;

/// Longest name looked up, bytes (RFC 1035 §2.3.4 allows 253). A longer one is nobody's name.
const HOST_BYTES_MAX: usize = 255;

/// One hostname of a route.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Hostname {
    Exact(String),
    /// With the dot: `.example.com`.
    Suffix(String),
    Any,
}

impl Hostname {
    pub(crate) fn parse(text: &str) -> Result<Self, CompileErrorKind> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let lower = text.to_ascii_lowercase();
        let lower = lower.strip_suffix('.').unwrap_or(&lower);
        let (name, wildcard) = match lower.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (lower, false),
        };
        let is_address = name.starts_with('[') && name.ends_with(']') && !wildcard;
        let valid = if is_address {
            name[1..name.len() - 1].bytes().all(|b| b.is_ascii_hexdigit() || b":.%".contains(&b))
        } else {
            name.split('.').all(is_label)
        };
        if !valid || name.len() > HOST_BYTES_MAX {
            return Err(CompileErrorKind::Hostname(text.to_owned()));
        }
        Ok(if wildcard { Self::Suffix(format!(".{name}")) } else { Self::Exact(name.to_owned()) })
    }
}

fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !label.is_empty() && label.bytes().all(allowed)
}

type Map = HashMap<Box<[u8]>, u32, foldhash::fast::FixedState>;

/// Hostname → number of its tree.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts {
    exact: Map,
    suffixes: Map,
    any: Option<u32>,
}

impl Hosts {
    /// The place of a hostname's tree.
    pub(crate) fn entry(&mut self, hostname: &Hostname, new: impl FnOnce() -> u32) -> u32 {
        match hostname {
            Hostname::Exact(name) => *self.exact.entry(name.as_bytes().into()).or_insert_with(new),
            Hostname::Suffix(name) => {
                *self.suffixes.entry(name.as_bytes().into()).or_insert_with(new)
            }
            Hostname::Any => *self.any.get_or_insert_with(new),
        }
    }

    /// Tries the trees for this authority in order until `attempt` gives something.
    #[inline]
    pub(crate) fn first<T>(
        &self,
        authority: &[u8],
        mut attempt: impl FnMut(u32) -> Option<T>,
    ) -> Option<T> {
        if !self.exact.is_empty() || !self.suffixes.is_empty() {
            let mut buffer = [0; HOST_BYTES_MAX];
            if let Some(name) = normalise(authority, &mut buffer)
                && let Some(found) = self.named(name, &mut attempt)
            {
                return Some(found);
            }
        }
        self.any.and_then(attempt)
    }

    fn named<T>(&self, name: &[u8], attempt: &mut impl FnMut(u32) -> Option<T>) -> Option<T> {
        if let Some(&tree) = self.exact.get(name)
            && let Some(found) = attempt(tree)
        {
            return Some(found);
        }
        if self.suffixes.is_empty() {
            return None;
        }
        // At least one byte stands before the dot, so that `.example.com` is no match.
        memchr::memchr_iter(b'.', name)
            .filter(|&dot| dot > 0)
            .find_map(|dot| self.suffixes.get(&name[dot..]).and_then(|&tree| attempt(tree)))
    }
}

/// The name in lower case, without port and trailing dot; `None` if it is too long.
fn normalise<'a>(authority: &[u8], buffer: &'a mut [u8; HOST_BYTES_MAX]) -> Option<&'a [u8]> {
    let end = if authority.first() == Some(&b'[') {
        memchr::memchr(b']', authority).map_or(authority.len(), |at| at + 1)
    } else {
        memchr::memchr(b':', authority).unwrap_or(authority.len())
    };
    let name = &authority[..end];
    let name = name.strip_suffix(b".").unwrap_or(name);
    let lower = buffer.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    Some(lower)
}

#[cfg(test)]
mod tests;
