//! A filter could not be built from its spec.

use bulkhead_message::{Known, is_field_value, is_host, is_path, is_token};

/// What is wrong with a spec.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// Not a header name.
    #[error("`{0}` is not a header name (RFC 9110 §5.1)")]
    HeaderName(String),
    /// A header that is not the filter's to change.
    #[error("header `{name}` cannot be changed here: {reason}")]
    HeaderReserved {
        /// The name.
        name: String,
        /// Why, and what to use instead.
        reason: &'static str,
    },
    /// Not a header value. The value is not shown: it may be a secret.
    #[error("the value of header `{0}` has a control character, or white space at an end")]
    HeaderValue(String),
    /// Two claims for one header.
    #[error("header `{0}` is given to two claims")]
    HeaderTwice(String),
    /// Status out of range.
    #[error("status {status} is not possible here: use {expect}")]
    Status {
        /// The status.
        status: u16,
        /// What is.
        expect: &'static str,
    },
    /// A body that the status cannot have.
    #[error("a response with status {0} has no body")]
    Body(u16),
    /// Not a scheme.
    #[error("`{0}` is not a scheme: use `http` or `https`")]
    Scheme(String),
    /// Not a host name.
    #[error("`{0}` is not a host name")]
    Host(String),
    /// Not a path.
    #[error("`{0}` is not a path: it starts with `/` and has no space, control character or `#`")]
    Path(String),
    /// No provider.
    #[error("at least one token provider is needed")]
    NoProvider,
}

/// A lower-case header name that a filter may change.
pub(crate) fn header_name(name: &str) -> Result<String, FilterError> {
    if !is_token(name.as_bytes()) {
        return Err(FilterError::HeaderName(name.to_owned()));
    }
    let name = name.to_ascii_lowercase();
    let reason = match Known::of(name.as_bytes()) {
        Known::Host => "it is the authority; use a rewrite of the host name",
        Known::ContentLength | Known::TransferEncoding => "the codec frames the body",
        Known::Connection
        | Known::KeepAlive
        | Known::ProxyConnection
        | Known::Te
        | Known::Trailer
        | Known::Upgrade
        | Known::Http2Settings => "it belongs to one connection, not to the message",
        _ => return Ok(name),
    };
    Err(FilterError::HeaderReserved { name, reason })
}

/// A lower-case header name with a valid value.
pub(crate) fn header(name: &str, value: &str) -> Result<(String, String), FilterError> {
    let name = header_name(name)?;
    if !is_field_value(value.as_bytes()) {
        return Err(FilterError::HeaderValue(name));
    }
    Ok((name, value.to_owned()))
}

pub(crate) fn host(host: &str) -> Result<String, FilterError> {
    if !is_host(host.as_bytes()) {
        return Err(FilterError::Host(host.to_owned()));
    }
    Ok(host.to_owned())
}

pub(crate) fn path(path: &str) -> Result<String, FilterError> {
    if !is_path(path.as_bytes()) {
        return Err(FilterError::Path(path.to_owned()));
    }
    Ok(path.to_owned())
}
