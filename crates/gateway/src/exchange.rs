//! **The story of a request**, top to bottom: route → request filters → cluster → attempt → response
//! filters → record. Every decision about an exchange stands here or in `exchange/`; what they call
//! computes.
//!
//! A panic in a step costs this exchange and no other ([`crate::guard`]).

use std::time::Duration;

use bulkhead_codec::{ErrorCode, StreamId};
use bulkhead_filter::{Context, Flow};
use bulkhead_message::{
    BodyLength, Failure, FailureKind, Known, Method, RequestHead, ResponseHead, Retry, Version,
    has_grpc_type, is_grpc, strip_hop_by_hop,
};
use bulkhead_upstream::{AttemptOutcome, PickHints};

use crate::arena::Key;
use crate::breakers::Gate;
use crate::connection::Side;
use crate::exchange_state::{Exchange, Leg, Phase};
use crate::faults::Fault;
use crate::flow::Direction;
use crate::grpc_messages::GrpcMessages;
use crate::overload::shed_under;
use crate::timer::TimerId;
use crate::worker::Worker;

mod affinity;
mod backend;
mod failing;
mod retry;
mod time_limits;

pub(crate) use affinity::{Affinity, hash_of_ip};
use backend::{backend_of, choose_backend, observe_latency};
use time_limits::deadline;

/// How much of a request body is thrown away after its answer: an HTTP/1 connection can be kept so,
/// and an HTTP/2 client reads its answer before it sees a reset. A longer rest costs the connection,
/// or the stream.
const DISCARD_BYTES_MAX: u64 = 256 * 1024;
/// How long that rest may take.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);

impl Worker {
    /// A request head was decoded into `heads.request`.
    pub(crate) fn request_begins(&mut self, connection: Key, stream: StreamId, end: bool) {
        let Some(key) = self.new_exchange(connection, stream, end) else { return };
        self.in_hand.exchange = key;
        let routed = self.route(key, end);
        self.settle(key, routed);
    }

    fn new_exchange(&mut self, connection: Key, stream: StreamId, end: bool) -> Option<Key> {
        let snapshot = self.snapshot.clone();
        let mut exchange = match self.spare.pop() {
            Some(mut exchange) => {
                exchange.reset(snapshot, self.now);
                exchange
            }
            None => Box::new(Exchange::new(snapshot, self.now)),
        };
        std::mem::swap(&mut exchange.request, &mut self.heads.request);
        let client = self.connections.get_mut(connection)?;
        let Side::Downstream(downstream) = &client.side else { return None };
        exchange.client = downstream.client;
        exchange.identify(downstream.tls.as_ref());
        exchange.secure = downstream.secure;
        exchange.version = exchange.request.version;
        exchange.is_grpc = is_grpc(&exchange.request);
        exchange.is_head = exchange.request.method() == Method::Head;
        exchange.downstream = Some(Leg { connection, stream });
        exchange.request_body.ended = end;
        exchange.request_body.keep();
        let key = self.exchanges.insert(exchange);
        client.spoke = true;
        if let Some(codec) = client.codec.as_mut() {
            codec.set_tag(stream, key.to_tag());
        }
        self.shard.exchange_started();
        Some(key)
    }

    /// Route → request filters → cluster.
    fn route(&mut self, key: Key, end: bool) -> Result<(), Failure> {
        self.faults.strike(Fault::RoutePanic);
        if self.challenges.any() && self.answer_challenge(key) {
            return Ok(());
        }
        let Self { exchanges, connections, snapshot, caches, breakers, shard, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return Ok(()) };
        let Some(leg) = exchange.downstream else { return Ok(()) };
        let Some(Side::Downstream(client)) = connections.get(leg.connection).map(|c| &c.side)
        else {
            return Ok(());
        };
        let (secure, client_text) = (exchange.secure, client.client_text.clone());
        check_request(&exchange.request, snapshot.limits.body_bytes_max)?;

        let found = self
            .table
            .find(&exchange.request)
            .ok_or(Failure::downstream(FailureKind::NoRoute, "no route matches"))?;
        exchange.route = Some(found.route);
        let route = snapshot.route(found.route);
        shed_under(&self.pressure, route.priority, shard)?;

        let mut context = Context {
            request: &mut exchange.request,
            client: exchange.client,
            now_unix_s: self.unix_s,
            secure,
            caches,
            matched_prefix_len: route.prefix_len(found.matched),
        };
        let flow = route.chain.on_request(&mut context)?;
        prepare_request(&mut exchange.request, &client_text, secure);
        exchange.expects_continue = exchange.request.fields.contains(Known::Expect) && !end;
        exchange.request.fields.remove(Known::Expect);
        exchange.deadline = deadline(exchange, route.timeouts.request, self.now)?;
        exchange.idle_timeout = route.timeouts.idle;
        if let Flow::Respond(response) = flow {
            self.respond(key, &response.head, &response.body);
            return Ok(());
        }
        exchange
            .passes
            .enter_route(route.guard.as_ref(), Gate { breakers, shard, now: self.now })?;
        choose_backend(exchange, route, &mut self.rng)?;
        if exchange.expects_continue {
            // The gateway buffers and retries, so it answers for the upstream (RFC 9110 §10.1.1).
            self.send_interim(key, &ResponseHead::new(100));
        }
        self.attempt(key)
    }

    /// Cluster → endpoint → connection. The request is sent now or when a connection is ready.
    pub(crate) fn attempt(&mut self, key: Key) -> Result<(), Failure> {
        self.begin_waiting(key)?;
        let Self { exchanges, clusters, breakers, shard, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return Ok(()) };
        let no_endpoint = Failure::gateway(FailureKind::NoEndpoint, "no endpoint is available");
        let cluster = exchange.cluster.and_then(|id| clusters.get_mut(id)).ok_or(no_endpoint)?;
        let hints = PickHints {
            avoid: exchange.endpoint.filter(|_| exchange.attempts > 0),
            hash: exchange.affinity.hash,
            subset: backend_of(exchange).and_then(|backend| backend.subset.as_ref()),
        };
        let endpoint = cluster.pool.pick(self.now, &mut self.rng, hints).ok_or(no_endpoint)?;
        let gate = Gate { breakers, shard, now: self.now };
        exchange.passes.enter_cluster(cluster.entry.guard.as_ref(), gate)?;
        exchange.endpoint = Some(endpoint);
        exchange.attempts += 1;
        exchange.attempt_started = self.now;
        exchange.retry_at = None;
        exchange.phase = Phase::Waiting;
        exchange.attempt_open = true;
        exchange.attempt_outcome = AttemptOutcome::Neutral;
        cluster.pool.started(endpoint);
        if exchange.attempts == 1 {
            cluster.pool.budget().record_request(self.now);
        }
        self.set_exchange_timer(key);
        self.acquire(key)
    }

    /// A connection has a slot for this exchange: sends the request.
    pub(crate) fn send_request(&mut self, key: Key, upstream: Key) -> Result<Sent, Failure> {
        let Self { exchanges, connections, .. } = self;
        let (Some(exchange), Some(connection)) =
            (exchanges.get_mut(key), connections.get_mut(upstream))
        else {
            return Ok(Sent::Unable);
        };
        let Some(codec) = connection.codec.as_mut() else { return Ok(Sent::Unable) };
        let body = &exchange.request_body;
        let end = body.ended && body.total == 0 && !body.has_trailers;
        let position = connection.out.position();
        let out = &mut connection.out.bytes;
        match codec.open(&exchange.request, end, key.to_tag(), out) {
            Ok(stream) => {
                exchange.sent_from = position;
                exchange.upstream = Some(Leg { connection: upstream, stream });
                exchange.holds_slot = true;
                exchange.phase = Phase::Sent;
                exchange.request_body.end_sent = end;
                if !end {
                    self.flush_pipe(key, Direction::Request);
                }
                self.touch(upstream);
                Ok(Sent::Yes)
            }
            Err(_) => Ok(Sent::Unable),
        }
    }

    /// A piece of request body. True: its flow-control bytes are kept back until it was passed on.
    pub(crate) fn request_data(&mut self, key: Key, bytes: &[u8], flow: u32, end: bool) -> bool {
        self.faults.strike(Fault::RequestDataPanic);
        let limits = &self.snapshot.limits;
        let Some(exchange) = self.exchanges.get_mut(key) else { return false };
        exchange.progressed = self.now;
        let body = &mut exchange.request_body;
        body.total += bytes.len() as u64;
        body.ended |= end;
        if limits.body_bytes_max.is_some_and(|max| body.total > max) {
            let detail = "the request body is larger than `body_bytes_max`";
            self.exchange_failed(key, Failure::downstream(FailureKind::BodyTooLarge, detail));
            return false;
        }
        match exchange.phase {
            Phase::Discarding => self.discard(key),
            Phase::Responding if exchange.upstream.is_none() || exchange.response_ended => {}
            _ => {
                exchange.expects_continue = false;
                body.push(bytes, limits.replay_bytes_max as usize);
                body.owed += flow;
                self.in_hand.flow_bytes = 0;
                self.flush_pipe(key, Direction::Request);
                return true;
            }
        }
        false
    }

    /// The request ends with the trailers in `heads.trailers`.
    pub(crate) fn request_trailers(&mut self, key: Key) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        let body = &mut exchange.request_body;
        body.ended = true;
        if exchange.phase == Phase::Discarding {
            return self.discard(key);
        }
        body.has_trailers = true;
        std::mem::swap(&mut body.trailers, &mut self.heads.trailers);
        strip_hop_by_hop(&mut body.trailers);
        self.flush_pipe(key, Direction::Request);
    }

    /// A response head, interim or final, was decoded into `heads.response`.
    pub(crate) fn response_begins(&mut self, key: Key, end: bool) {
        let accepted = self.accept_response(key, end);
        self.settle(key, accepted);
    }

    fn accept_response(&mut self, key: Key, end: bool) -> Result<(), Failure> {
        self.faults.strike(Fault::ResponseHeadPanic);
        let Self { exchanges, heads, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return Ok(()) };
        let head = &mut heads.response;
        exchange.progressed = self.now;
        if head.status == 101 {
            let detail = "the upstream switched protocols without being asked";
            return Err(Failure::upstream(FailureKind::UpstreamProtocol, Retry::Never, detail));
        }
        if head.is_interim() {
            if head.status != 100 && exchange.version > Version::Http10 {
                let interim = std::mem::take(head);
                self.send_interim(key, &interim);
            }
            return Ok(());
        }
        let Some(route) = exchange.route else { return Ok(()) };
        let snapshot = exchange.snapshot.clone();
        let route = snapshot.route(route);
        let status = head.status;
        if exchange.limited {
            self.waited(key, status);
        }
        if route.retry.statuses.contains(&status) && self.retry_status(key, status, end) {
            return Ok(());
        }
        let Self { exchanges, heads, clusters, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return Ok(()) };
        let head = &mut heads.response;
        exchange.attempt_outcome = AttemptOutcome::of_status(head.status);
        observe_latency(exchange, clusters, self.now);
        strip_hop_by_hop(&mut head.fields);
        route.chain.on_response(head);
        exchange.affinity.set_cookie(route.backend(exchange.backend), exchange.secure, head);
        if exchange.is_grpc {
            exchange.grpc_status = grpc_status(head.fields.get(Known::GrpcStatus));
            // HTTP/1.0 has no trailers, and a length that was promised is to be kept.
            let may_end_early = exchange.version > Version::Http10
                && head.body == BodyLength::Unknown
                && has_grpc_type(&head.fields);
            exchange.grpc_messages = (!end && may_end_early).then(GrpcMessages::default);
        }
        exchange.request_body.forget();
        exchange.response_ended = end;
        self.send_head(key, end);
        if end {
            self.upstream_ended(key);
            self.response_sent(key);
        }
        Ok(())
    }

    /// Passes `heads.response` on as the final head.
    fn send_head(&mut self, key: Key, end: bool) {
        let Self { exchanges, connections, heads, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return };
        exchange.phase = Phase::Responding;
        exchange.status = heads.response.status;
        let Some(leg) = exchange.downstream else { return };
        let Some(connection) = connections.get_mut(leg.connection) else { return };
        let Some(codec) = connection.codec.as_mut() else { return };
        let sent = codec.respond(leg.stream, &heads.response, end, &mut connection.out.bytes);
        if end {
            exchange.response_body.ended = true;
            exchange.response_body.end_sent = true;
        }
        self.touch(leg.connection);
        if sent.is_err() {
            let detail = "the response cannot be expressed in the client's protocol";
            let failure = Failure::upstream(FailureKind::UpstreamProtocol, Retry::Never, detail);
            self.exchange_failed(key, failure);
        }
    }

    fn send_interim(&mut self, key: Key, head: &ResponseHead) {
        let Self { exchanges, connections, .. } = self;
        let Some(leg) = exchanges.get(key).and_then(|exchange| exchange.downstream) else { return };
        let Some(connection) = connections.get_mut(leg.connection) else { return };
        if let Some(codec) = connection.codec.as_mut() {
            // An interim head that cannot be sent is no loss.
            let _ = codec.respond(leg.stream, head, false, &mut connection.out.bytes);
        }
        self.touch(leg.connection);
    }

    /// A piece of response body. True: its flow-control bytes are kept back until it was passed on.
    pub(crate) fn response_data(&mut self, key: Key, bytes: &[u8], flow: u32, end: bool) -> bool {
        self.faults.strike(Fault::ResponseDataPanic);
        let Some(exchange) = self.exchanges.get_mut(key) else { return false };
        exchange.progressed = self.now;
        exchange.response_ended |= end;
        if let Some(messages) = &mut exchange.grpc_messages {
            messages.take(bytes);
        }
        let kept = self.pass_on_response(key, bytes, flow, end);
        if end {
            self.upstream_ended(key);
            self.response_sent(key);
        }
        kept
    }

    /// The response ends with the trailers in `heads.trailers`.
    pub(crate) fn response_trailers(&mut self, key: Key) {
        self.faults.strike(Fault::ResponseTrailersPanic);
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        exchange.progressed = self.now;
        exchange.response_ended = true;
        let body = &mut exchange.response_body;
        std::mem::swap(&mut body.trailers, &mut self.heads.trailers);
        body.ended = true;
        body.has_trailers = true;
        if exchange.is_grpc {
            exchange.grpc_status = grpc_status(body.trailers.get(Known::GrpcStatus));
        }
        self.flush_pipe(key, Direction::Response);
        self.upstream_ended(key);
        self.response_sent(key);
    }

    /// The upstream gave up the stream.
    pub(crate) fn upstream_reset(&mut self, key: Key, code: ErrorCode, by_peer: bool) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        if exchange.response_ended {
            // The answer is whole; the upstream only does not want the rest of the request.
            exchange.request_body.end_sent = true;
            return self.upstream_ended(key);
        }
        let failure = match code {
            ErrorCode::REFUSED_STREAM if by_peer => Failure::upstream(
                FailureKind::UpstreamRefused,
                Retry::Always,
                "the upstream refused the stream",
            ),
            _ if by_peer => Failure::upstream(
                FailureKind::UpstreamReset,
                Retry::IfIdempotent,
                "the upstream reset the stream",
            ),
            _ => Failure::upstream(
                FailureKind::UpstreamProtocol,
                Retry::IfIdempotent,
                "the upstream's answer is malformed",
            ),
        };
        self.stream_gone(key);
        self.exchange_failed(key, failure);
    }

    /// Answers from the gateway itself.
    pub(crate) fn respond(&mut self, key: Key, head: &ResponseHead, body: &[u8]) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        let head_only = body.is_empty() || exchange.is_head;
        self.heads.response.clear();
        self.heads.response.status = head.status;
        self.heads.response.fields.clone_from(&head.fields);
        let length = if body.is_empty() && head.body == BodyLength::None {
            BodyLength::None
        } else {
            BodyLength::Known(body.len() as u64)
        };
        self.heads.response.body = length;
        if let Some(exchange) = self.exchanges.get_mut(key) {
            exchange.response_ended = true;
            if !head_only {
                exchange.response_body.push(body, 0);
                exchange.response_body.total = body.len() as u64;
                exchange.response_body.ended = true;
            }
        }
        self.send_head(key, head_only);
        if !head_only {
            self.flush_pipe(key, Direction::Response);
        }
        self.response_sent(key);
    }

    /// Looks whether the response has been handed over whole, and if so ends the exchange.
    pub(crate) fn response_sent(&mut self, key: Key) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        if !exchange.response_body.end_sent || exchange.phase != Phase::Responding {
            return;
        }
        if exchange.request_body.ended {
            return self.finish(key);
        }
        // The answer came before the whole request.
        self.detach_upstream(key, ErrorCode::NO_ERROR);
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        let Some(leg) = exchange.downstream else { return self.finish(key) };
        let Some(connection) = self.connections.get_mut(leg.connection) else {
            return self.finish(key);
        };
        let Some(codec) = connection.codec.as_mut() else { return self.finish(key) };
        if exchange.expects_continue && !codec.is_http2() {
            // The client was never told to go on: it may send its body, or its next request.
            codec.reset(leg.stream, ErrorCode::NO_ERROR, &mut connection.out.bytes);
            exchange.downstream = None;
            self.touch(leg.connection);
            return self.finish(key);
        }
        exchange.phase = Phase::Discarding;
        exchange.request_body.forget();
        exchange.deadline = Some(self.now + DISCARD_TIMEOUT);
        connection.paused = false;
        self.pump_again(leg.connection);
        self.set_exchange_timer(key);
    }

    /// More of a request body that nobody wants.
    fn discard(&mut self, key: Key) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        if exchange.request_body.ended {
            self.finish(key);
        } else if exchange.request_body.total > DISCARD_BYTES_MAX {
            self.reset_downstream(key, ErrorCode::NO_ERROR);
            self.finish(key);
        }
    }

    /// The exchange is over: one record, exactly once, and its place is free.
    pub(crate) fn finish(&mut self, key: Key) {
        self.detach_upstream(key, ErrorCode::CANCEL);
        let Some(mut exchange) = self.exchanges.remove(key) else { return };
        self.timers.cancel(exchange.timer);
        exchange.timer = TimerId::NONE;
        self.record(&exchange);
        if let Some(leg) = exchange.downstream.take()
            && let Some(connection) = self.connections.get_mut(leg.connection)
        {
            connection.active = self.now;
            if !connection.pending.is_empty() || connection.paused || connection.input_closed {
                // A pipelined request may have its turn now.
                connection.paused = false;
                self.pump_again(leg.connection);
            }
            self.touch(leg.connection);
        }
        if self.spare.len() < SPARE_MAX {
            self.spare.push(exchange);
        }
    }
}

/// Exchanges that a worker keeps for reuse.
const SPARE_MAX: usize = 1024;

/// What became of an attempt to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It is on its way.
    Yes,
    /// This connection takes no stream; another one is needed.
    Unable,
}

fn check_request(head: &RequestHead, body_bytes_max: Option<u64>) -> Result<(), Failure> {
    if head.method() == Method::Connect {
        let detail = "CONNECT is not supported";
        return Err(Failure::downstream(FailureKind::Refused, detail));
    }
    if let (BodyLength::Known(length), Some(max)) = (head.body, body_bytes_max)
        && length > max
    {
        let detail = "the request body is larger than `body_bytes_max`";
        return Err(Failure::downstream(FailureKind::BodyTooLarge, detail));
    }
    Ok(())
}

/// Makes the client's head fit for the upstream: drops what is for this hop, says who asked.
fn prepare_request(head: &mut RequestHead, client: &[u8], secure: bool) {
    strip_hop_by_hop(&mut head.fields);
    let fields = &mut head.fields;
    if client.is_empty() {
        // Whoever came through a Unix socket has no address: what it says of others stays.
    } else if let Some(previous) = fields.get(Known::XForwardedFor) {
        let mut chain = Vec::with_capacity(previous.len() + client.len() + 2);
        for value in fields.get_all(Known::XForwardedFor) {
            chain.extend_from_slice(value);
            chain.extend_from_slice(b", ");
        }
        chain.extend_from_slice(client);
        fields.set(Known::XForwardedFor, &chain);
    } else {
        fields.push_known(Known::XForwardedFor, client);
    }
    fields.set(Known::XForwardedProto, if secure { b"https" } else { b"http" });
}

fn grpc_status(value: Option<&[u8]>) -> Option<u8> {
    std::str::from_utf8(value?).ok()?.parse().ok()
}
