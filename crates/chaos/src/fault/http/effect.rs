//! What happens to an exchange.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::HttpFaultError;

/// Longest time that an exchange, or an attempt, is held.
pub const DELAY_MAX: Duration = Duration::from_secs(15 * 60);
/// Highest status of gRPC.
const GRPC_STATUS_MAX: u8 = 16;

/// Which body, or which part of an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyDirection {
    /// From the client to the endpoint.
    Request,
    /// From the endpoint to the client.
    #[default]
    Response,
}

/// What the gateway answers by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbortWith {
    /// A status of HTTP, 200 to 599; a gRPC call gets the status of gRPC that stands for it.
    Status(u16),
    /// A status of gRPC, 1 to 16; what is no gRPC call gets the status of HTTP that stands for it.
    GrpcStatus(u8),
}

/// How an attempt at an endpoint fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamFailure {
    /// The connection is refused: nothing was processed, and any request may be tried again.
    Refused,
    /// The connection is reset after the request: only what is idempotent may be tried again.
    Reset,
    /// There is no answer. Until `after_ms`, or the route's own time-out.
    Timeout,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum HttpEffect {
    /// The request goes on, or the response's head does, after a while.
    Delay {
        /// The while, up to [`DELAY_MAX`].
        delay: Duration,
        /// What is held.
        direction: BodyDirection,
    },
    /// The gateway answers by itself, and nothing goes upstream.
    Abort(AbortWith),
    /// The response comes with another status.
    ReplaceStatus {
        /// 200 to 599.
        status: u16,
    },
    /// A response's body that is longer ends behind so many bytes, as if that were all of it. What
    /// promised a length breaks its promise.
    TruncateBody {
        /// Bytes that are passed on.
        after_bytes: u64,
    },
    /// One bit of a body is turned over.
    CorruptBody {
        /// In the byte at this place, from 0. A shorter body is left as it is.
        offset: u64,
        /// Which body.
        direction: BodyDirection,
    },
    /// A body is passed on slowly.
    SlowBody {
        /// Bytes in a second, at least 1.
        bytes_per_s: u64,
        /// Which body.
        direction: BodyDirection,
    },
    /// The client's stream (HTTP/2) or connection (HTTP/1) is reset once a body that is longer has
    /// been passed on so far.
    Reset {
        /// Bytes that are passed on.
        after_bytes: u64,
    },
    /// An attempt fails as if the endpoint did: it counts against the endpoint, and may be tried again.
    UpstreamFailure {
        /// How.
        failure: UpstreamFailure,
        /// When, from the begin of the attempt; up to [`DELAY_MAX`].
        after: Duration,
    },
    /// The client's connection is told to end: GOAWAY, or `connection: close`. The exchange itself goes on.
    Goaway,
}

impl HttpEffect {
    /// As it is declared.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Delay { .. } => "delay",
            Self::Abort(_) => "abort",
            Self::ReplaceStatus { .. } => "replace_status",
            Self::TruncateBody { .. } => "truncate_body",
            Self::CorruptBody { .. } => "corrupt_body",
            Self::SlowBody { .. } => "slow_body",
            Self::Reset { .. } => "reset",
            Self::UpstreamFailure { .. } => "upstream_failure",
            Self::Goaway => "goaway",
        }
    }

    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Delay { .. } => "http.delay",
            Self::Abort(_) => "http.abort",
            Self::ReplaceStatus { .. } => "http.replace_status",
            Self::TruncateBody { .. } => "http.truncate_body",
            Self::CorruptBody { .. } => "http.corrupt_body",
            Self::SlowBody { .. } => "http.slow_body",
            Self::Reset { .. } => "http.reset",
            Self::UpstreamFailure { .. } => "http.upstream_failure",
            Self::Goaway => "http.goaway",
        }
    }

    /// Whether the endpoint is chosen when it strikes.
    pub const fn knows_endpoint(&self) -> bool {
        match self {
            Self::Abort(_) | Self::Goaway => false,
            Self::Delay { direction, .. }
            | Self::CorruptBody { direction, .. }
            | Self::SlowBody { direction, .. } => matches!(direction, BodyDirection::Response),
            Self::ReplaceStatus { .. }
            | Self::TruncateBody { .. }
            | Self::Reset { .. }
            | Self::UpstreamFailure { .. } => true,
        }
    }

    pub(super) fn check(&self) -> Result<(), HttpFaultError> {
        let wrong = |text: &str| Err(HttpFaultError(text.to_owned()));
        match *self {
            Self::Delay { delay, .. } if delay.is_zero() || delay > DELAY_MAX => {
                wrong("`delay_ms` is 1 to 900000")
            }
            Self::Abort(AbortWith::Status(status)) | Self::ReplaceStatus { status }
                if !(200..600).contains(&status) =>
            {
                wrong("`status` is 200 to 599")
            }
            Self::Abort(AbortWith::GrpcStatus(status))
                if status == 0 || status > GRPC_STATUS_MAX =>
            {
                wrong("`grpc_status` is 1 to 16")
            }
            Self::SlowBody { bytes_per_s: 0, .. } => wrong("`bytes_per_s` is at least 1"),
            Self::UpstreamFailure { after, .. } if after > DELAY_MAX => {
                wrong("`after_ms` is at most 900000")
            }
            Self::UpstreamFailure { failure: UpstreamFailure::Timeout, after }
                if after.is_zero() =>
            {
                wrong("a time-out comes after a while: give `after_ms`")
            }
            _ => Ok(()),
        }
    }
}
