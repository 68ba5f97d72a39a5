//! What the gateway has to know of gRPC over HTTP/2: content type, status codes, deadlines.
//!
//! Source: the gRPC project's "gRPC over HTTP2" and "HTTP to gRPC Status Code Mapping" documents.

use std::time::Duration;

use crate::{Fields, Known, RequestHead};

/// gRPC status codes that a gateway itself gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum GrpcStatus {
    /// 1: the client gave up.
    Cancelled = 1,
    /// 2: nothing better fits.
    Unknown = 2,
    /// 4: the deadline passed.
    DeadlineExceeded = 4,
    /// 7: known caller, not allowed.
    PermissionDenied = 7,
    /// 8: a limit was reached.
    ResourceExhausted = 8,
    /// 12: no such method.
    Unimplemented = 12,
    /// 13: a bug or a broken peer.
    Internal = 13,
    /// 14: try again.
    Unavailable = 14,
    /// 16: unknown caller.
    Unauthenticated = 16,
}

impl GrpcStatus {
    /// The status that stands for an HTTP status which the gateway would have answered.
    pub const fn from_http(status: u16) -> Self {
        match status {
            400 => Self::Internal,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::Unimplemented,
            413 | 431 => Self::ResourceExhausted,
            408 | 504 => Self::DeadlineExceeded,
            429 | 502 | 503 => Self::Unavailable,
            499 => Self::Cancelled,
            _ => Self::Unknown,
        }
    }

    /// The decimal text of the `grpc-status` field.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "1",
            Self::Unknown => "2",
            Self::DeadlineExceeded => "4",
            Self::PermissionDenied => "7",
            Self::ResourceExhausted => "8",
            Self::Unimplemented => "12",
            Self::Internal => "13",
            Self::Unavailable => "14",
            Self::Unauthenticated => "16",
        }
    }
}

/// Whether a request is gRPC.
pub fn is_grpc(head: &RequestHead) -> bool {
    has_grpc_type(&head.fields)
}

/// Whether a head is one of gRPC: content type `application/grpc`, alone or followed by `+` or `;`.
pub fn has_grpc_type(fields: &Fields) -> bool {
    const PREFIX: &[u8] = b"application/grpc";
    fields.get(Known::ContentType).is_some_and(|value| {
        value.len() >= PREFIX.len()
            && value[..PREFIX.len()].eq_ignore_ascii_case(PREFIX)
            && matches!(value.get(PREFIX.len()), None | Some(b'+' | b';' | b' '))
    })
}

/// Why a `grpc-timeout` value is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("grpc-timeout must be 1 to 8 digits and one of H M S m u n")]
pub struct GrpcTimeoutError;

/// Parses `grpc-timeout`: 1 to 8 digits and a unit (`H`, `M`, `S`, `m`, `u`, `n`).
///
/// # Errors
/// If the value has another shape.
pub fn parse_grpc_timeout(value: &[u8]) -> Result<Duration, GrpcTimeoutError> {
    let (&unit, digits) = value.split_last().ok_or(GrpcTimeoutError)?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(GrpcTimeoutError);
    }
    let number = digits.iter().fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    match unit {
        b'H' => Ok(Duration::from_secs(number * 3600)),
        b'M' => Ok(Duration::from_secs(number * 60)),
        b'S' => Ok(Duration::from_secs(number)),
        b'm' => Ok(Duration::from_millis(number)),
        b'u' => Ok(Duration::from_micros(number)),
        b'n' => Ok(Duration::from_nanos(number)),
        _ => Err(GrpcTimeoutError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts() {
        let ok = |text: &str| parse_grpc_timeout(text.as_bytes());
        assert_eq!(ok("1H"), Ok(Duration::from_secs(3600)));
        assert_eq!(ok("99999999n"), Ok(Duration::from_nanos(99_999_999)));
        assert_eq!(ok("250m"), Ok(Duration::from_millis(250)));
        for bad in ["", "m", "1", "123456789S", "-1S", "1s", "1 S"] {
            assert_eq!(ok(bad), Err(GrpcTimeoutError), "{bad:?}");
        }
    }

    #[test]
    fn content_types() {
        for (value, expect) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/gRPC;x=y", true),
            ("application/grpc-web", false),
            ("application/json", false),
        ] {
            let mut head = RequestHead::new();
            head.fields.push(b"content-type", value.as_bytes());
            assert_eq!(is_grpc(&head), expect, "{value}");
        }
    }
}
