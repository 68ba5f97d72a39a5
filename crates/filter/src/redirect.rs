//! An answer that sends the client elsewhere (RFC 9110 §15.4).
//!
//! - trusts: downstream for authority and path, which the codec has checked for their bytes
//! - buffers: nothing
//! - fuzzed by: the codec's targets (the location is made of checked parts)

use bulkhead_message::{Failure, FailureKind, Known, RequestHead, ResponseHead, is_host};

use crate::error::{host, path};
use crate::{Context, Filter, FilterError, Flow, Response};

/// Where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectSpec {
    /// `http` or `https`; `None`: as the request.
    pub scheme: Option<String>,
    /// Host; `None`: as the request.
    pub hostname: Option<String>,
    /// Port; `None`, or the scheme's own: none in the location.
    pub port: Option<u16>,
    /// Path, which may have a query; without one the request's is kept. `None`: as the request.
    pub path: Option<String>,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// Answers every request with a redirect.
#[derive(Debug)]
pub struct Redirect {
    scheme: Option<&'static str>,
    hostname: Option<String>,
    port: Option<u16>,
    path: Option<String>,
    status: u16,
}

impl Redirect {
    /// A redirect to there.
    ///
    /// # Errors
    /// [`FilterError`] names the part that cannot be used.
    pub fn new(spec: &RedirectSpec) -> Result<Self, FilterError> {
        let status = spec.status;
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return Err(FilterError::Status { status, expect: "301, 302, 303, 307 or 308" });
        }
        let scheme = match spec.scheme.as_deref() {
            None => None,
            Some("http") => Some("http"),
            Some("https") => Some("https"),
            Some(other) => return Err(FilterError::Scheme(other.to_owned())),
        };
        Ok(Self {
            scheme,
            hostname: spec.hostname.as_deref().map(host).transpose()?,
            port: spec.port,
            path: spec.path.as_deref().map(path).transpose()?,
            status,
        })
    }

    fn write_location(&self, request: &RequestHead, out: &mut Vec<u8>) -> Result<(), Failure> {
        let host = match &self.hostname {
            Some(host) => host.as_bytes(),
            None => without_port(request.authority()),
        };
        // An HTTP/1.0 request may name no host: then the location is a path.
        let absolute = !host.is_empty();
        if absolute {
            if !is_host(host) {
                let detail = "the authority cannot stand in a location";
                return Err(Failure::downstream(FailureKind::BadRequest, detail));
            }
            let scheme = self.scheme.unwrap_or_else(|| request.scheme.as_str());
            out.extend_from_slice(scheme.as_bytes());
            out.extend_from_slice(b"://");
            out.extend_from_slice(host);
            let default = if scheme == "https" { 443 } else { 80 };
            if let Some(port) = self.port.filter(|port| *port != default) {
                out.push(b':');
                out.extend_from_slice(port.to_string().as_bytes());
            }
        }
        let start = out.len();
        match &self.path {
            Some(path) => {
                out.extend_from_slice(path.as_bytes());
                if let (Some(query), false) = (request.query(), path.contains('?')) {
                    out.push(b'?');
                    out.extend_from_slice(query);
                }
            }
            None if request.target().first() == Some(&b'/') => {
                out.extend_from_slice(request.target());
            }
            // `OPTIONS *` and CONNECT have no path.
            None => out.push(b'/'),
        }
        if !absolute {
            // `//host/…` alone would name another host.
            let slashes = out.iter().skip(start).take_while(|&&byte| byte == b'/').count();
            out.drain(start..start + slashes.saturating_sub(1));
        }
        Ok(())
    }
}

fn without_port(authority: &[u8]) -> &[u8] {
    let colon = authority.iter().rposition(|&byte| byte == b':');
    match colon {
        // The colons inside of `[::1]` are the address's own.
        Some(at) if !authority[at..].contains(&b']') => &authority[..at],
        _ => authority,
    }
}

impl Filter for Redirect {
    fn on_request(&self, context: &mut Context<'_>) -> Result<Flow, Failure> {
        let mut location = Vec::with_capacity(128);
        self.write_location(context.request, &mut location)?;
        let mut head = ResponseHead::new(self.status);
        head.fields.push_known(Known::Location, &location);
        Ok(Flow::Respond(Box::new(Response { head, body: Vec::new() })))
    }
}

#[cfg(test)]
mod tests;
