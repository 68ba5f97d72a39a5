//! What makes an attempt at an upstream worth another one.

use crate::{Failure, FailureKind};

/// What may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RetryCondition {
    /// No connection to the endpoint could be set up.
    ConnectFailure,
    /// The endpoint said that it did not process the request (REFUSED_STREAM, GOAWAY).
    RefusedStream,
    /// The stream or its connection ended before a response head, or broke the protocol.
    Reset,
    /// No response head within the time for one attempt.
    PerTryTimeout,
    /// 502, 503 or 504.
    GatewayError,
    /// Any 5xx.
    ServerError,
    /// A status that the policy lists.
    RetriableStatus,
    /// gRPC's CANCELLED (1), in a response of trailers only; so are the following.
    GrpcCancelled,
    /// DEADLINE_EXCEEDED (4).
    GrpcDeadlineExceeded,
    /// RESOURCE_EXHAUSTED (8).
    GrpcResourceExhausted,
    /// INTERNAL (13).
    GrpcInternal,
    /// UNAVAILABLE (14).
    GrpcUnavailable,
}

impl RetryCondition {
    /// The condition that a failed attempt meets; `None`: no policy can ask for it to be repeated.
    pub const fn of_failure(failure: &Failure) -> Option<Self> {
        match failure.kind {
            FailureKind::Connect | FailureKind::UpstreamTls => Some(Self::ConnectFailure),
            FailureKind::UpstreamRefused => Some(Self::RefusedStream),
            FailureKind::UpstreamReset
            | FailureKind::UpstreamClosed
            | FailureKind::UpstreamProtocol => Some(Self::Reset),
            FailureKind::HeadTimeout => Some(Self::PerTryTimeout),
            _ => None,
        }
    }

    /// The condition that a gRPC status meets, if any.
    pub const fn of_grpc_status(status: u8) -> Option<Self> {
        match status {
            1 => Some(Self::GrpcCancelled),
            4 => Some(Self::GrpcDeadlineExceeded),
            8 => Some(Self::GrpcResourceExhausted),
            13 => Some(Self::GrpcInternal),
            14 => Some(Self::GrpcUnavailable),
            _ => None,
        }
    }
}
