//! Replaces authority and path towards the upstream, as `URLRewrite` of the Kubernetes Gateway API.
//! Never touches the query unless the new path brings one.
//!
//! - trusts: downstream for the rest of the path, which the codec has checked for its bytes
//! - buffers: nothing
//! - fuzzed by: the codec's targets (the result is encoded by it)

use bulkhead_message::{Failure, RequestHead};

use crate::error::{host, path};
use crate::{Context, Filter, FilterError, Flow};

/// What to replace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RewriteSpec {
    /// New authority.
    pub hostname: Option<String>,
    /// New path, or part of it.
    pub path: Option<PathRewrite>,
}

/// How the path is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathRewrite {
    /// The whole path.
    Full(String),
    /// The part that the route's `prefix` matched; empty is the same as `/`. Without such a match
    /// the path stays.
    Prefix(String),
}

/// Rewrites requests.
#[derive(Debug)]
pub struct Rewrite {
    hostname: Option<String>,
    path: Option<PathRewrite>,
}

impl Rewrite {
    /// A filter that rewrites so.
    ///
    /// # Errors
    /// [`FilterError`] names the part that cannot be used.
    pub fn new(spec: &RewriteSpec) -> Result<Self, FilterError> {
        let path = match &spec.path {
            None => None,
            Some(PathRewrite::Full(full)) => Some(PathRewrite::Full(path(full)?)),
            Some(PathRewrite::Prefix(prefix)) if prefix.is_empty() => {
                Some(PathRewrite::Prefix("/".to_owned()))
            }
            Some(PathRewrite::Prefix(prefix)) if prefix.contains('?') => {
                return Err(FilterError::Path(prefix.clone()));
            }
            Some(PathRewrite::Prefix(prefix)) => Some(PathRewrite::Prefix(path(prefix)?)),
        };
        Ok(Self { hostname: spec.hostname.as_deref().map(host).transpose()?, path })
    }
}

impl Filter for Rewrite {
    fn on_request(&self, context: &mut Context<'_>) -> Result<Flow, Failure> {
        if let Some(hostname) = &self.hostname {
            context.request.set_authority(hostname.as_bytes());
        }
        let target = &mut context.caches.scratch;
        target.clear();
        let replaced = match &self.path {
            None => false,
            Some(PathRewrite::Full(full)) => {
                write_full(full, context.request, target);
                true
            }
            Some(PathRewrite::Prefix(prefix)) => {
                write_prefix(prefix, context.matched_prefix_len, context.request, target)
            }
        };
        if replaced {
            context.request.set_target(target);
        }
        Ok(Flow::Continue)
    }
}

fn write_full(full: &str, request: &RequestHead, target: &mut Vec<u8>) {
    target.extend_from_slice(full.as_bytes());
    if !full.contains('?') {
        write_query(request, target);
    }
}

/// Joins with exactly one slash where the two parts meet, whether or not either brings it.
fn write_prefix(
    prefix: &str,
    matched: Option<usize>,
    request: &RequestHead,
    target: &mut Vec<u8>,
) -> bool {
    let path = request.path();
    let Some((matched, rest)) = matched.and_then(|length| path.split_at_checked(length)) else {
        return false;
    };
    let rest = if rest.is_empty() && matched.ends_with(b"/") { b"/" } else { rest };
    if rest.is_empty() {
        target.extend_from_slice(prefix.as_bytes());
    } else {
        target.extend_from_slice(prefix.strip_suffix('/').unwrap_or(prefix).as_bytes());
        target.push(b'/');
        target.extend_from_slice(rest.strip_prefix(b"/").unwrap_or(rest));
    }
    write_query(request, target);
    true
}

fn write_query(request: &RequestHead, target: &mut Vec<u8>) {
    if let Some(query) = request.query() {
        target.push(b'?');
        target.extend_from_slice(query);
    }
}

#[cfg(test)]
mod tests;
