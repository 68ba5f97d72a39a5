//! What the pool says of a connection, and what it answers.

use std::time::Instant;

/// Protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1: one request at a time.
    Http1,
    /// HTTP/2: as many streams as the peer allows.
    Http2,
}

/// What a connection is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// Being dialled.
    Connecting,
    /// Takes requests.
    Ready,
    /// Takes no new requests; to be closed when the last one ends.
    Draining,
}

/// How a request gets a connection.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquire<K> {
    /// On this one; the stream is counted already and must be given back with `release`.
    Use(K),
    /// Dial one, say `connecting`, then `enqueue` the request: whichever connection is free first
    /// serves it.
    Connect,
    /// `enqueue` it.
    Wait,
    /// Too many wait already.
    Overloaded,
}

/// `pending_max` requests wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests wait for a connection")]
pub struct Overloaded;

/// What is to become of a connection after one of its streams ended.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// It stays.
    Keep,
    /// It is of no further use and carries nothing: close it, then say `closed`.
    Close,
    /// It is not of this cluster: close it when it carries nothing.
    Unknown,
}

/// What the pool knows of a connection: what moves with it to another worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionFacts {
    /// Its protocol.
    pub protocol: Protocol,
    /// Its state.
    pub state: ConnectionState,
    /// Streams in use.
    pub streams_in_use: u32,
    /// Streams the peer allows; 1 with HTTP/1.1.
    pub streams_allowed: u32,
}

#[derive(Debug)]
pub(super) struct Connection<K> {
    pub(super) key: K,
    pub(super) lane: u32,
    pub(super) facts: ConnectionFacts,
    /// Since when it is ready and carries nothing.
    pub(super) idle_since: Option<Instant>,
}

impl<K> Connection<K> {
    pub(super) const fn has_room(&self) -> bool {
        matches!(self.facts.state, ConnectionState::Ready)
            && self.facts.streams_in_use < self.facts.streams_allowed
    }
}
