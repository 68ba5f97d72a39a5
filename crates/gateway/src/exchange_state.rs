//! What a worker knows of one exchange (one request and its response).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_codec::StreamId;
use bulkhead_message::{Failure, RequestHead, Version};
use bulkhead_upstream::{AttemptOutcome, EndpointId};

use crate::arena::Key;
use crate::breakers::Passes;
use crate::exchange::Affinity;
use crate::grpc_messages::GrpcMessages;
use crate::pipe::Pipe;
use crate::snapshot::{ClusterId, Snapshot};
use crate::timer::TimerId;
use crate::tls_facts::TlsFacts;

/// A stream of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leg {
    pub(crate) connection: Key,
    pub(crate) stream: StreamId,
}

/// Where an exchange stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not routed yet.
    #[default]
    Begun,
    /// In the queue for an upstream connection.
    Waiting,
    /// A failed attempt is followed by another at `retry_at`.
    Pausing,
    /// The request was sent (or is being sent); no final response head yet.
    Sent,
    /// The final response head went downstream.
    Responding,
    /// The response is complete; what is left of the request body is thrown away.
    Discarding,
}

/// One exchange. Boxed and recycled by its worker, so that its buffers are allocated once.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) phase: Phase,
    pub(crate) snapshot: Arc<Snapshot>,
    /// Index into the snapshot's routes; `None` until routed.
    pub(crate) route: Option<u32>,
    /// Number of the route's backend that was chosen.
    pub(crate) backend: u32,
    pub(crate) cluster: Option<ClusterId>,
    pub(crate) endpoint: Option<EndpointId>,
    pub(crate) affinity: Affinity,
    /// `None` once the client's stream is gone.
    pub(crate) downstream: Option<Leg>,
    pub(crate) upstream: Option<Leg>,
    /// Where the request begins in what its upstream connection says.
    pub(crate) sent_from: u64,
    /// The attempt holds a slot of its upstream connection's pool.
    pub(crate) holds_slot: bool,
    pub(crate) request: RequestHead,
    pub(crate) request_body: Pipe,
    pub(crate) response_body: Pipe,
    pub(crate) version: Version,
    pub(crate) client: Option<IpAddr>,
    /// Of the client's connection, where they are to be told.
    pub(crate) tls: Option<Arc<TlsFacts>>,
    /// The client uses TLS.
    pub(crate) secure: bool,
    pub(crate) is_grpc: bool,
    pub(crate) is_head: bool,
    /// The client waits for `100 Continue` before it sends the body.
    pub(crate) expects_continue: bool,
    pub(crate) attempts: u32,
    /// Status sent downstream; 0: none yet.
    pub(crate) status: u16,
    /// Why it failed, if it did.
    pub(crate) failure: Option<Failure>,
    /// The balancer counts an attempt of this exchange as in flight.
    pub(crate) attempt_open: bool,
    /// Its attempt waits in the cluster's concurrency limit.
    pub(crate) limited: bool,
    pub(crate) attempt_outcome: AttemptOutcome,
    /// Of the circuit breakers of its route and cluster.
    pub(crate) passes: Passes,
    pub(crate) grpc_status: Option<u8>,
    /// Of the response's body, if it is one of gRPC that can be ended in trailers at any message.
    pub(crate) grpc_messages: Option<GrpcMessages>,
    /// The upstream's answer has ended.
    pub(crate) response_ended: bool,
    pub(crate) started: Instant,
    pub(crate) attempt_started: Instant,
    pub(crate) progressed: Instant,
    pub(crate) retry_at: Option<Instant>,
    /// From the route's time-out and `grpc-timeout`.
    pub(crate) deadline: Option<Instant>,
    pub(crate) idle_timeout: Duration,
    pub(crate) timer: TimerId,
}

/// Memory that a recycled exchange keeps in each of its buffers.
const RETAIN_BYTES: usize = 16 * 1024;

impl Exchange {
    pub(crate) fn new(snapshot: Arc<Snapshot>, now: Instant) -> Self {
        Self {
            phase: Phase::Begun,
            snapshot,
            route: None,
            backend: 0,
            cluster: None,
            endpoint: None,
            affinity: Affinity::default(),
            downstream: None,
            upstream: None,
            sent_from: 0,
            holds_slot: false,
            request: RequestHead::new(),
            request_body: Pipe::default(),
            response_body: Pipe::default(),
            version: Version::Http11,
            client: None,
            tls: None,
            secure: false,
            is_grpc: false,
            is_head: false,
            expects_continue: false,
            attempts: 0,
            status: 0,
            failure: None,
            attempt_open: false,
            limited: false,
            attempt_outcome: AttemptOutcome::Neutral,
            passes: Passes::default(),
            grpc_status: None,
            grpc_messages: None,
            response_ended: false,
            started: now,
            attempt_started: now,
            progressed: now,
            retry_at: None,
            deadline: None,
            idle_timeout: Duration::from_secs(60),
            timer: TimerId::NONE,
        }
    }

    /// Makes a recycled exchange new.
    pub(crate) fn reset(&mut self, snapshot: Arc<Snapshot>, now: Instant) {
        self.phase = Phase::Begun;
        self.snapshot = snapshot;
        self.route = None;
        self.backend = 0;
        self.cluster = None;
        self.endpoint = None;
        self.affinity = Affinity::default();
        self.downstream = None;
        self.upstream = None;
        self.holds_slot = false;
        self.request.clear();
        self.request.fields.shrink_to(RETAIN_BYTES);
        self.request_body.clear(RETAIN_BYTES);
        self.response_body.clear(RETAIN_BYTES);
        self.tls = None;
        self.expects_continue = false;
        self.attempts = 0;
        self.status = 0;
        self.failure = None;
        self.attempt_open = false;
        self.limited = false;
        self.attempt_outcome = AttemptOutcome::Neutral;
        self.passes = Passes::default();
        self.grpc_status = None;
        self.grpc_messages = None;
        self.response_ended = false;
        self.started = now;
        self.attempt_started = now;
        self.progressed = now;
        self.retry_at = None;
        self.deadline = None;
        self.timer = TimerId::NONE;
    }

    /// Whether a final response head was sent downstream.
    pub(crate) const fn has_responded(&self) -> bool {
        matches!(self.phase, Phase::Responding | Phase::Discarding)
    }

    /// What the attempt says about its endpoint: of an answered gRPC call its own status does.
    pub(crate) fn outcome(&self) -> AttemptOutcome {
        match (self.attempt_outcome, self.grpc_status) {
            (AttemptOutcome::Success, Some(status)) => AttemptOutcome::of_grpc_status(status),
            (outcome, _) => outcome,
        }
    }
}
