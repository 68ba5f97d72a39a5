//! Counts of what the origin was asked, for tests and reports.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a request asks for. Each has its count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Endpoint {
    /// `/api/v1/{user_id}/feed`
    Feed,
    /// `/feed.v1.Feed/Get`
    GrpcGet,
    /// `/feed.v1.Feed/Watch`
    GrpcWatch,
    /// `/feed.v1.Feed/Upload`
    GrpcUpload,
    /// `/feed.v1.Feed/Chat`
    GrpcChat,
    /// `/echo`
    Echo,
    /// `/collect`.
    Collect,
    /// `/status/{code}`
    Status,
    /// `/delay/{ms}`
    Delay,
    /// `/busy/{ms}`
    Busy,
    /// `/bytes/{n}`
    Bytes,
    /// `/headers`
    Headers,
    /// `POST /session`
    OpenSession,
    /// `/session/{id}`
    Session,
    /// `/reset`
    Reset,
    /// `/close`
    Close,
    /// `/ws` and its variants: upgrades, not messages.
    WebSocket,
    /// Server reflection: calls, not questions.
    GrpcReflection,
    /// Anything else: 404.
    Unknown,
}

impl Endpoint {
    /// Every endpoint, in the order of its discriminant.
    pub const ALL: [Self; 19] = [
        Self::Feed,
        Self::GrpcGet,
        Self::GrpcWatch,
        Self::GrpcUpload,
        Self::GrpcChat,
        Self::Echo,
        Self::Collect,
        Self::Status,
        Self::Delay,
        Self::Busy,
        Self::Bytes,
        Self::Headers,
        Self::OpenSession,
        Self::Session,
        Self::Reset,
        Self::Close,
        Self::WebSocket,
        Self::GrpcReflection,
        Self::Unknown,
    ];
}

/// Counts so far. Shared by the origin's threads; relaxed, so exact only once traffic has ended.
#[derive(Debug, Default)]
pub struct OriginStats {
    requests: [AtomicU64; Endpoint::ALL.len()],
    pub(crate) connections: AtomicU64,
    pub(crate) resets: AtomicU64,
    pub(crate) sessions: AtomicU64,
    pub(crate) websocket_messages: AtomicU64,
    pub(crate) websocket_goodbyes: AtomicU64,
}

impl OriginStats {
    pub(crate) fn count(&self, endpoint: Endpoint) {
        if let Some(count) = self.requests.get(endpoint as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Requests for one endpoint.
    pub fn requests(&self, endpoint: Endpoint) -> u64 {
        self.requests.get(endpoint as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Requests in all.
    pub fn requests_total(&self) -> u64 {
        self.requests.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Connections accepted.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// WebSocket messages received, pings and the like left out.
    pub fn websocket_messages(&self) -> u64 {
        self.websocket_messages.load(Ordering::Relaxed)
    }

    /// WebSockets that the client closed in order, with a close frame.
    pub fn websocket_goodbyes(&self) -> u64 {
        self.websocket_goodbyes.load(Ordering::Relaxed)
    }

    /// Requests that the client gave up.
    pub fn resets(&self) -> u64 {
        self.resets.load(Ordering::Relaxed)
    }
}
