//! What a worker knows of one exchange (one request and its response).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_codec::StreamId;
use bulkhead_codec::grpc_web::Call;
use bulkhead_message::{Failure, RequestHead, Version};
use bulkhead_upstream::{AttemptOutcome, EndpointId, Tried};

use crate::arena::Key;
use crate::breakers::Passes;
use crate::exchange::{Affinity, BodyRate, Tunnel};
use crate::faulted::Faulted;
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

impl Leg {
    /// Instead of a stream that is still to be opened; never one's number.
    pub(crate) const UNOPENED: StreamId = StreamId::MAX;
}

/// Where an exchange stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not routed yet.
    #[default]
    Begun,
    /// Held by an injected delay until `retry_at`: before it goes upstream, or, with an attempt that is
    /// open, before that fails.
    Held,
    /// In the queue for an upstream connection.
    Waiting,
    /// A failed attempt is followed by another at `retry_at`.
    Pausing,
    /// The request was sent (or is being sent); no final response head yet.
    Sent,
    /// The final response head went downstream.
    Responding,
    /// Both sides have agreed to a tunnel: bytes both ways.
    Tunnel,
    /// The response is complete; what is left of the request body is thrown away.
    Discarding,
}

/// Whose request an exchange carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Role {
    /// A client's, who gets the answer.
    #[default]
    Client,
    /// That of another exchange, as its second attempt (see `exchange/hedge.rs`).
    Hedge(Key),
    /// A copy of another's, whose answer is thrown away (see `exchange/mirror.rs`).
    Mirror,
}

/// One exchange. Boxed and recycled by its worker, so that its buffers are allocated once.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) phase: Phase,
    pub(crate) role: Role,
    /// The exchange that is its second attempt, or none.
    pub(crate) hedge: Key,
    /// When it is to get one.
    pub(crate) hedge_at: Option<Instant>,
    /// The exchange that gets a copy of the request body, or none.
    pub(crate) mirror: Key,
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
    /// What the client asks to switch to, and with [`Phase::Tunnel`] has.
    pub(crate) tunnel: Option<Tunnel>,
    pub(crate) tunnel_since: Option<Instant>,
    /// The client waits for `100 Continue` before it sends the body.
    pub(crate) expects_continue: bool,
    pub(crate) attempts: u32,
    /// Endpoints that failed it.
    pub(crate) tried: Tried,
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
    /// A call of gRPC-Web that is translated.
    pub(crate) grpc_web: Option<Call>,
    pub(crate) body_rate: BodyRate,
    /// What injected faults do to it, if any do.
    pub(crate) fault: Option<Box<Faulted>>,
    /// Bytes of the request's body that had come when the answer was over.
    pub(crate) discarded_from: u64,
    pub(crate) started: Instant,
    pub(crate) attempt_started: Instant,
    pub(crate) progressed: Instant,
    pub(crate) retry_at: Option<Instant>,
    /// From the route's time-out and `grpc-timeout`.
    pub(crate) deadline: Option<Instant>,
    /// `None`: nothing is too long.
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) timer: TimerId,
}

/// Idle time-out of an exchange that no route has given another one.
const UNROUTED_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Memory that a recycled exchange keeps in each of its buffers.
const RETAIN_BYTES: usize = 16 * 1024;

impl Exchange {
    pub(crate) fn new(snapshot: Arc<Snapshot>, now: Instant) -> Self {
        Self {
            phase: Phase::Begun,
            role: Role::Client,
            hedge: Key::NONE,
            hedge_at: None,
            mirror: Key::NONE,
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
            tunnel: None,
            tunnel_since: None,
            expects_continue: false,
            attempts: 0,
            tried: Tried::default(),
            status: 0,
            failure: None,
            attempt_open: false,
            limited: false,
            attempt_outcome: AttemptOutcome::Neutral,
            passes: Passes::default(),
            grpc_status: None,
            grpc_messages: None,
            response_ended: false,
            grpc_web: None,
            body_rate: BodyRate::default(),
            fault: None,
            discarded_from: 0,
            started: now,
            attempt_started: now,
            progressed: now,
            retry_at: None,
            deadline: None,
            idle_timeout: Some(UNROUTED_IDLE_TIMEOUT),
            timer: TimerId::NONE,
        }
    }

    /// Makes a recycled exchange new.
    pub(crate) fn reset(&mut self, snapshot: &Arc<Snapshot>, now: Instant) {
        self.phase = Phase::Begun;
        self.role = Role::Client;
        self.hedge = Key::NONE;
        self.hedge_at = None;
        self.mirror = Key::NONE;
        // All workers count in the same place: while it is the same, nothing is counted.
        if !Arc::ptr_eq(&self.snapshot, snapshot) {
            self.snapshot = snapshot.clone();
        }
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
        self.tunnel = None;
        self.tunnel_since = None;
        self.tls = None;
        self.expects_continue = false;
        self.tried.clear();
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
        self.grpc_web = None;
        self.body_rate = BodyRate::default();
        self.fault = None;
        self.discarded_from = 0;
        self.started = now;
        self.attempt_started = now;
        self.progressed = now;
        self.retry_at = None;
        self.deadline = None;
        self.idle_timeout = Some(UNROUTED_IDLE_TIMEOUT);
        self.timer = TimerId::NONE;
    }

    /// Makes it carry the request of another exchange as well, from its beginning.
    pub(crate) fn copy_request(&mut self, original: &Self, role: Role) {
        self.role = role;
        self.route = original.route;
        self.backend = original.backend;
        self.cluster = original.cluster;
        self.affinity = original.affinity;
        self.request.clone_from(&original.request);
        self.request_body.copy_from(&original.request_body);
        self.version = original.version;
        self.client = original.client;
        self.is_grpc = original.is_grpc;
        self.is_head = original.is_head;
        self.attempts = original.attempts;
        self.idle_timeout = original.idle_timeout;
    }

    /// Takes over the attempt of an exchange that carries the same request. Its own must be over.
    pub(crate) fn take_leg(&mut self, other: &mut Self) {
        self.phase = other.phase;
        self.retry_at = None;
        self.endpoint = other.endpoint;
        self.upstream = other.upstream.take();
        self.sent_from = other.sent_from;
        self.holds_slot = std::mem::take(&mut other.holds_slot);
        self.attempt_open = std::mem::take(&mut other.attempt_open);
        self.limited = std::mem::take(&mut other.limited);
        self.attempt_outcome = other.attempt_outcome;
        self.attempt_started = other.attempt_started;
        self.passes.take_cluster(&mut other.passes);
        self.response_ended = false;
        self.request_body.go_on_as(&mut other.request_body);
    }

    /// Whether an attempt goes on that has no response head yet.
    pub(crate) const fn awaits_head(&self) -> bool {
        match self.phase {
            Phase::Waiting | Phase::Sent => true,
            Phase::Held => self.attempt_open,
            _ => false,
        }
    }

    /// Whether a final response head was sent downstream.
    pub(crate) const fn has_responded(&self) -> bool {
        matches!(self.phase, Phase::Responding | Phase::Tunnel | Phase::Discarding)
    }

    /// What the attempt says about its endpoint: of an answered gRPC call its own status does.
    pub(crate) fn outcome(&self) -> AttemptOutcome {
        match (self.attempt_outcome, self.grpc_status) {
            (AttemptOutcome::Success, Some(status)) => AttemptOutcome::of_grpc_status(status),
            (outcome, _) => outcome,
        }
    }
}
