//! What a worker knows of one connection, downstream or upstream. Plain data: it can be taken out of
//! one worker's poll and put into another's at any moment between two events.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bulkhead_codec::Codec;
use bulkhead_config::model::Protocol;
use bulkhead_message::{Address, Version};
use bulkhead_telemetry::ClusterSeries;
use bulkhead_transport::Channel;
use bulkhead_upstream::EndpointId;

use crate::arena::Key;
use crate::opening::Opening;
use crate::outbox::Outbox;
use crate::retire::Life;
use crate::snapshot::{ClusterId, ListenerEntry};
use crate::timer::TimerId;
use crate::tls_facts::TlsFacts;

/// Bytes that wait for a socket before exchanges stop adding to them.
pub(crate) const OUT_BYTES_MAX: usize = 256 * 1024;
/// Input that waits for its turn (pipelined requests) before the socket is no longer read.
pub(crate) const PENDING_BYTES_MAX: usize = 64 * 1024;

/// Which way a connection faces.
#[derive(Debug)]
pub(crate) enum Side {
    /// A client's.
    Downstream(Downstream),
    /// Ours to an endpoint.
    Upstream(Upstream),
}

#[derive(Debug)]
pub(crate) struct Downstream {
    /// Name of the listener, as it was when the client came.
    pub(crate) listener: Arc<str>,
    /// Its address; `None`: it came through a Unix socket, which has none.
    pub(crate) client: Option<IpAddr>,
    /// `client` as text, for `x-forwarded-for`; empty: none.
    pub(crate) client_text: Arc<[u8]>,
    pub(crate) secure: bool,
    /// Requests must be for the host that the TLS handshake named.
    pub(crate) sni_match: bool,
    /// Known after the handshake, where they are to be told.
    pub(crate) tls: Option<Arc<TlsFacts>>,
    /// Protocols that the listener offers, for sniffing and ALPN.
    pub(crate) http1: bool,
    pub(crate) http2: bool,
}

impl Downstream {
    /// A client of this listener, of whom nothing else is known yet.
    pub(crate) fn new(entry: &ListenerEntry) -> Self {
        Self {
            listener: entry.name.clone(),
            client: None,
            client_text: Arc::default(),
            secure: entry.tls.is_some(),
            sni_match: entry.sni_match,
            tls: None,
            http1: entry.http1,
            http2: entry.http2,
        }
    }

    /// Notes who the client is; `None`: it has no address.
    pub(crate) fn tell(&mut self, client: Option<SocketAddr>) {
        self.client = client.map(|client| client.ip().to_canonical());
        self.client_text =
            self.client.map_or_else(String::new, |client| client.to_string()).into_bytes().into();
    }
}

#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) cluster: ClusterId,
    /// The cluster's; it outlives the cluster, which a reload may remove.
    pub(crate) series: ClusterSeries,
    pub(crate) endpoint: EndpointId,
    pub(crate) address: Address,
    pub(crate) protocol: Protocol,
    pub(crate) phase: UpstreamPhase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpstreamPhase {
    /// TCP is being set up.
    Connecting,
    /// TLS is being set up.
    Handshaking,
    /// Requests can be sent.
    Ready,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) channel: Channel,
    /// `None` until the protocol is known.
    pub(crate) codec: Option<Codec>,
    pub(crate) side: Side,
    /// What has to be looked at before it is known what becomes of it.
    pub(crate) opening: Option<Box<Opening>>,
    /// Input that the codec could not take yet.
    pub(crate) pending: Vec<u8>,
    pub(crate) out: Outbox,
    /// Exchanges that wait until `out` has drained.
    pub(crate) stalled: Vec<Key>,
    /// Upstream: exchanges that wait for the peer's settings, which say whether it takes them.
    pub(crate) awaiting_settings: Vec<Key>,
    /// In the worker's list of connections to flush.
    pub(crate) dirty: bool,
    /// In the worker's list of connections to pump without a new readiness event.
    pub(crate) again: bool,
    /// Not read until an exchange has drained.
    pub(crate) paused: bool,
    /// Not read because it is about to move to another worker.
    pub(crate) yielding: bool,
    /// Since when the socket has taken nothing of what waits for it; a writable event will come.
    pub(crate) blocked_since: Option<Instant>,
    /// An event has told that the peer ended its sending half; not all before that may be read yet.
    pub(crate) hung_up: bool,
    /// The peer has ended its sending half.
    pub(crate) input_closed: bool,
    /// Its time was over before anything was agreed on.
    pub(crate) timed_out: bool,
    /// It has made a request.
    pub(crate) spoke: bool,
    /// Our sending half of a tunnel is closed.
    pub(crate) half_closed: bool,
    /// Close when `out` is flushed.
    pub(crate) closing: bool,
    /// Close it with a reset: a fault.
    pub(crate) abort: bool,
    /// Our sending half is closed; input is thrown away until the peer closes too, so that the last
    /// answer is not destroyed by a reset.
    pub(crate) lingering: bool,
    pub(crate) life: Life,
    pub(crate) timer: TimerId,
    pub(crate) opened: Instant,
    pub(crate) active: Instant,
    /// When the peer was heard last.
    pub(crate) heard: Instant,
    /// When our PING that has no answer yet was sent.
    pub(crate) pinged: Option<Instant>,
    /// Since when the head that is being received is incomplete.
    pub(crate) head_since: Option<Instant>,
}

impl Connection {
    pub(crate) fn new(channel: Channel, side: Side, now: Instant) -> Self {
        Self {
            channel,
            codec: None,
            side,
            opening: None,
            pending: Vec::new(),
            out: Outbox::default(),
            stalled: Vec::new(),
            awaiting_settings: Vec::new(),
            dirty: false,
            again: false,
            paused: false,
            yielding: false,
            blocked_since: None,
            hung_up: false,
            input_closed: false,
            timed_out: false,
            spoke: false,
            half_closed: false,
            closing: false,
            abort: false,
            lingering: false,
            life: Life::default(),
            timer: TimerId::NONE,
            opened: now,
            active: now,
            heard: now,
            pinged: None,
            head_since: None,
        }
    }

    pub(crate) const fn is_downstream(&self) -> bool {
        matches!(self.side, Side::Downstream(_))
    }

    pub(crate) const fn upstream(&self) -> Option<&Upstream> {
        match &self.side {
            Side::Upstream(upstream) => Some(upstream),
            Side::Downstream(_) => None,
        }
    }

    /// What a client speaks, once that is known.
    pub(crate) fn version(&self) -> Option<Version> {
        self.codec.as_ref().map(|codec| match codec {
            Codec::Http1(_) => Version::Http11,
            Codec::Http2(_) => Version::Http2,
        })
    }

    /// What a time-out of it means, for the metrics.
    pub(crate) const fn waits_for(&self) -> &'static str {
        match &self.side {
            _ if self.blocked_since.is_some() || self.closing => "write",
            Side::Upstream(_) => "connect",
            Side::Downstream(_) if self.codec.is_none() || self.head_since.is_some() => "head",
            Side::Downstream(_) => "idle",
        }
    }

    /// Whether it is a tunnel of HTTP/1, at least one way.
    pub(crate) fn is_tunnel(&self) -> bool {
        matches!(&self.codec, Some(Codec::Http1(codec)) if codec.is_tunnel())
    }

    /// Whether our sending half of a tunnel is to be closed once `out` is flushed.
    pub(crate) fn must_half_close(&self) -> bool {
        !self.half_closed
            && matches!(&self.codec, Some(Codec::Http1(codec)) if codec.is_half_closed())
    }

    pub(crate) fn streams(&self) -> usize {
        self.codec.as_ref().map_or(0, Codec::active_streams)
    }
}
