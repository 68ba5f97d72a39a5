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
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// No connection could be had because the TLS handshakes failed.
    Tls,
    /// It was not answered in time.
    Timeout,
    /// The connection ended before its answer had begun.
    Closed,
    /// The connection ended within its answer.
    Truncated,
    /// The peer broke the protocol.
    Protocol,
    /// It never found a free stream in time.
    Unsent,
}

impl Outcome {
    /// Every outcome, in the order of its discriminant.
    pub const ALL: [Self; 14] = [
        Self::Ok,
        Self::WrongStatus,
        Self::WrongHeader,
        Self::WrongBody,
        Self::WrongGrpcStatus,
        Self::Reset,
        Self::GoAway,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Closed,
        Self::Truncated,
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
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Truncated => "truncated",
            Self::Protocol => "protocol",
            Self::Unsent => "unsent",
        }
    }
}

impl Outcome {
    /// Whether the request may be sent again because its answer never came whole.
    pub const fn is_transport(self) -> bool {
        matches!(self, Self::Reset | Self::GoAway | Self::Closed | Self::Truncated)
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
