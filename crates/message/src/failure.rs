//! A failure in flight is a value: what happened, on whose side, may it be tried again.

/// What happened to an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// The request is not valid HTTP, or not acceptable to this gateway.
    BadRequest,
    /// The head is larger than `head_bytes_max`.
    HeadTooLarge,
    /// The request body is larger than `body_bytes_max`.
    BodyTooLarge,
    /// The request is for a host that the connection was not made to.
    Misdirected,
    /// No route matches.
    NoRoute,
    /// The caller did not prove who it is.
    Unauthenticated,
    /// The caller may not do this.
    Forbidden,
    /// A filter refused it for another reason.
    Refused,
    /// A CONNECT, extended or not, that the route does not pass on.
    TunnelRefused,
    /// A limit of the gateway is reached.
    Overloaded,
    /// Too many requests before this one failed, so that none is let through for a while.
    CircuitOpen,
    /// No endpoint of the cluster can take a request.
    NoEndpoint,
    /// The connection to the endpoint was refused, reset or timed out before it was up.
    Connect,
    /// TLS with the endpoint could not be set up.
    UpstreamTls,
    /// The upstream connection ended before the answer was whole.
    UpstreamClosed,
    /// The upstream reset the stream.
    UpstreamReset,
    /// The upstream said that it did not process the request (REFUSED_STREAM, GOAWAY).
    UpstreamRefused,
    /// The upstream's answer is not valid HTTP.
    UpstreamProtocol,
    /// The response head did not come in time.
    HeadTimeout,
    /// The exchange ran into its deadline.
    DeadlineExceeded,
    /// Nothing moved for `idle_timeout`.
    IdleTimeout,
    /// The client went away or cancelled.
    ClientAborted,
    /// The client did not send its request in time.
    RequestTimeout,
    /// A fault that was injected on purpose.
    Injected,
    /// A panic or a broken invariant inside the gateway.
    Internal,
}

impl FailureKind {
    /// A stable name in `snake_case`, for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::HeadTooLarge => "head_too_large",
            Self::BodyTooLarge => "body_too_large",
            Self::Misdirected => "misdirected",
            Self::NoRoute => "no_route",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::Refused => "refused",
            Self::TunnelRefused => "tunnel_refused",
            Self::Overloaded => "overloaded",
            Self::CircuitOpen => "circuit_open",
            Self::NoEndpoint => "no_endpoint",
            Self::Connect => "connect",
            Self::UpstreamTls => "upstream_tls",
            Self::UpstreamClosed => "upstream_closed",
            Self::UpstreamReset => "upstream_reset",
            Self::UpstreamRefused => "upstream_refused",
            Self::UpstreamProtocol => "upstream_protocol",
            Self::HeadTimeout => "head_timeout",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::IdleTimeout => "idle_timeout",
            Self::ClientAborted => "client_aborted",
            Self::RequestTimeout => "request_timeout",
            Self::Injected => "injected",
            Self::Internal => "internal",
        }
    }
}

/// Whose side a failure is on: it decides between 4xx, 502/503/504 and 500, and who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client's.
    Downstream,
    /// The endpoint's.
    Upstream,
    /// Ours.
    Gateway,
}

/// Whether the layer that saw the failure allows another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Another attempt is useless or unsafe.
    Never,
    /// The endpoint did not process the request: any method may be tried again.
    Always,
    /// It may have been processed: only an idempotent request may be tried again.
    IfIdempotent,
}

/// A failure of an exchange or of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub kind: FailureKind,
    /// Whose side.
    pub side: Side,
    /// May it be tried again.
    pub retry: Retry,
    /// Fixed text with the reason, for log and (where it is the client's fault) body. No secrets.
    pub detail: &'static str,
}

impl Failure {
    /// A failure on the client's side.
    pub const fn downstream(kind: FailureKind, detail: &'static str) -> Self {
        Self { kind, side: Side::Downstream, retry: Retry::Never, detail }
    }

    /// A failure on the endpoint's side.
    pub const fn upstream(kind: FailureKind, retry: Retry, detail: &'static str) -> Self {
        Self { kind, side: Side::Upstream, retry, detail }
    }

    /// A failure on our side.
    pub const fn gateway(kind: FailureKind, detail: &'static str) -> Self {
        Self { kind, side: Side::Gateway, retry: Retry::Never, detail }
    }

    /// The HTTP status that tells the client (499 is never sent: the client is gone).
    pub const fn status(&self) -> u16 {
        match self.kind {
            FailureKind::BadRequest => 400,
            FailureKind::Unauthenticated => 401,
            FailureKind::Forbidden => 403,
            FailureKind::NoRoute => 404,
            FailureKind::RequestTimeout => 408,
            FailureKind::BodyTooLarge => 413,
            FailureKind::Misdirected => 421,
            FailureKind::HeadTooLarge => 431,
            FailureKind::Refused => 400,
            FailureKind::ClientAborted => 499,
            FailureKind::Internal => 500,
            FailureKind::TunnelRefused => 501,
            FailureKind::Connect
            | FailureKind::UpstreamTls
            | FailureKind::UpstreamClosed
            | FailureKind::UpstreamReset
            | FailureKind::UpstreamProtocol => 502,
            FailureKind::NoEndpoint
            | FailureKind::CircuitOpen
            | FailureKind::Overloaded
            | FailureKind::Injected
            | FailureKind::UpstreamRefused => 503,
            FailureKind::HeadTimeout | FailureKind::DeadlineExceeded | FailureKind::IdleTimeout => {
                504
            }
        }
    }
}
