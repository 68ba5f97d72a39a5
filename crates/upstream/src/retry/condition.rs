//! What a policy may name as worth another attempt.

use bulkhead_message::{Failure, FailureKind};

/// What is tried again.
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

    const fn of_grpc_status(status: u8) -> Option<Self> {
        match status {
            1 => Some(Self::GrpcCancelled),
            4 => Some(Self::GrpcDeadlineExceeded),
            8 => Some(Self::GrpcResourceExhausted),
            13 => Some(Self::GrpcInternal),
            14 => Some(Self::GrpcUnavailable),
            _ => None,
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

/// A set of conditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryConditions(u16);

impl RetryConditions {
    /// What happens before an endpoint has processed anything, or may have.
    pub const fn unprocessed() -> Self {
        Self(
            RetryCondition::ConnectFailure.bit()
                | RetryCondition::RefusedStream.bit()
                | RetryCondition::Reset.bit(),
        )
    }

    /// Whether `condition` is in the set.
    #[inline]
    pub const fn has(self, condition: RetryCondition) -> bool {
        self.0 & condition.bit() != 0
    }

    pub(super) fn has_grpc_status(self, status: u8) -> bool {
        RetryCondition::of_grpc_status(status).is_some_and(|condition| self.has(condition))
    }
}

impl FromIterator<RetryCondition> for RetryConditions {
    fn from_iter<I: IntoIterator<Item = RetryCondition>>(conditions: I) -> Self {
        Self(conditions.into_iter().fold(0, |set, condition| set | condition.bit()))
    }
}
