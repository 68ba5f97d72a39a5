//! How a request can end, seen from the client.

/// What is wrong with a whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The status.
    Status,
    /// A header field.
    Header,
    /// The body.
    Body,
    /// The gRPC status, or its absence.
    GrpcStatus,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Outcome {
    /// With the right answer.
    Ok,
    /// With another status.
    WrongStatus,
    /// With another header field.
    WrongHeader,
    /// With another body.
    WrongBody,
    /// With another gRPC status, or none.
    WrongGrpcStatus,
    /// The stream was reset.
    Reset,
    /// The connection was going away and the request was not processed.
    GoAway,
    /// No connection could be had while it waited.
    Connect,
    /// It was not answered in time.
    Timeout,
    /// The connection ended under it.
    Closed,
    /// The peer broke the protocol.
    Protocol,
    /// It never found a free stream in time.
    Unsent,
}

impl Outcome {
    /// Every outcome, in the order of its discriminant.
    pub const ALL: [Self; 12] = [
        Self::Ok,
        Self::WrongStatus,
        Self::WrongHeader,
        Self::WrongBody,
        Self::WrongGrpcStatus,
        Self::Reset,
        Self::GoAway,
        Self::Connect,
        Self::Timeout,
        Self::Closed,
        Self::Protocol,
        Self::Unsent,
    ];

    /// A stable name in `snake_case`, for reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::WrongStatus => "wrong_status",
            Self::WrongHeader => "wrong_header",
            Self::WrongBody => "wrong_body",
            Self::WrongGrpcStatus => "wrong_grpc_status",
            Self::Reset => "reset",
            Self::GoAway => "goaway",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
            Self::Unsent => "unsent",
        }
    }
}

impl From<Mismatch> for Outcome {
    fn from(mismatch: Mismatch) -> Self {
        match mismatch {
            Mismatch::Status => Self::WrongStatus,
            Mismatch::Header => Self::WrongHeader,
            Mismatch::Body => Self::WrongBody,
            Mismatch::GrpcStatus => Self::WrongGrpcStatus,
        }
    }
}
