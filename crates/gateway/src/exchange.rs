//! **The story of a request**, top to bottom: route → request filters → cluster → attempt → response
//! filters → record. Every decision about an exchange stands here or in `exchange/`; what they call
//! computes.
//!
//! A panic in a step costs this exchange and no other ([`crate::guard`]).

use bulkhead_codec::StreamId;
use bulkhead_filter::{Context, Flow};
use bulkhead_message::{
    BodyLength, Failure, FailureKind, Known, Method, ResponseHead, Retry, Version, has_grpc_type,
    is_grpc, strip_hop_by_hop,
};
use bulkhead_upstream::AttemptOutcome;

use crate::arena::Key;
use crate::breakers::Gate;
use crate::connection::Side;
use crate::exchange_state::{Leg, Phase, Role};
use crate::faults::Fault;
use crate::flow::Direction;
use crate::grpc_messages::GrpcMessages;
use crate::intake::Hop;
use crate::overload::shed_under;
use crate::worker::Worker;

mod affinity;
mod answering;
mod backend;
mod befall;
mod body_rate;
mod ending;
mod failing;
mod grpc_web;
mod handshake;
mod hedge;
mod mirror;
mod prepare;
mod pushback;
mod retry;
mod time_limits;
mod tunnel;

pub(crate) use affinity::{Affinity, hash_of_ip};
use backend::{choose_backend, observe_latency, pick_endpoint};
use befall::Befallen;
pub(crate) use body_rate::BodyRate;
use ending::fresh;
pub(crate) use handshake::Tunnel;
use prepare::{check_request, check_server_name, name_host, prepare_request, receive};
use retry::prepare_attempt;
use time_limits::deadline;

impl Worker {
    /// A request head was decoded into `heads.request`.
    pub(crate) fn request_begins(&mut self, connection: Key, stream: StreamId, end: bool) {
        let Some(key) = self.new_exchange(connection, stream, end) else { return };
        self.in_hand.exchange = key;
        self.count_request(connection);
        let routed = self.route(key, end);
        self.settle(key, routed);
    }

    fn new_exchange(&mut self, connection: Key, stream: StreamId, end: bool) -> Option<Key> {
        let mut exchange = fresh(self.spare.pop(), &self.snapshot, self.now);
        std::mem::swap(&mut exchange.request, &mut self.heads.request);
        let client = self.connections.get_mut(connection)?;
        let Side::Downstream(downstream) = &client.side else { return None };
        exchange.client = downstream.client;
        exchange.identify(downstream.tls.as_ref());
        exchange.secure = downstream.secure;
        exchange.version = exchange.request.version;
        // A failure of a gRPC call is told with a 200, which to CONNECT would be an agreement.
        exchange.is_grpc =
            exchange.request.method() != Method::Connect && is_grpc(&exchange.request);
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
        let Self { exchanges, connections, snapshot, caches, rng, injected, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return Ok(()) };
        let Some(leg) = exchange.downstream else { return Ok(()) };
        let Some(connection) = connections.get(leg.connection) else { return Ok(()) };
        let Side::Downstream(client) = &connection.side else { return Ok(()) };
        let (intake, peer) = (&snapshot.intake, exchange.client);
        handshake::unify(&mut exchange.request);
        let received = receive(exchange, intake, rng)?;
        if client.sni_match {
            check_server_name(exchange.request.authority(), &connection.channel)?;
        }
        check_request(&exchange.request, snapshot.limits.body_bytes_max)?;
        if let Some(response) = received.redirect {
            self.respond(key, &response.head, &response.body);
            return Ok(());
        }

        let found = self
            .table
            .find(&exchange.request)
            .ok_or(Failure::downstream(FailureKind::NoRoute, "no route matches"))?;
        exchange.route = Some(found.route);
        let route = snapshot.route(found.route);
        shed_under(&self.pressure, route.priority, &self.shard)?;
        if handshake::may_ask(&exchange.request) {
            let random = || (u128::from(rng.next()) << 64 | u128::from(rng.next())).to_ne_bytes();
            exchange.tunnel = handshake::asked(&mut exchange.request, &route.tunnels, random)?;
        }

        let mut context = Context {
            request: &mut exchange.request,
            client: exchange.client,
            now_unix_s: self.unix_s,
            secure: received.origin.secure,
            key_rotations: injected.key_rotations(self.now),
            caches,
            matched_prefix_len: route.prefix_len(found.matched),
        };
        let flow = route.chain.on_request(&mut context)?;
        if route.grpc_web {
            grpc_web::begin(exchange);
        }
        let (origin, authority) = (received.origin, received.authority.as_slice());
        let hop = Hop { peer, peer_text: &client.client_text, origin, authority };
        name_host(&mut exchange.request, &connection.channel);
        prepare_request(&mut exchange.request, intake, &hop, rng);
        exchange.expects_continue = exchange.request.fields.contains(Known::Expect) && !end;
        exchange.request.fields.remove(Known::Expect);
        exchange.deadline = deadline(exchange, route.timeouts.request, self.now)?;
        exchange.idle_timeout = Some(route.timeouts.idle);
        body_rate::watch(exchange, &snapshot.limits, self.now);
        if let Flow::Respond(response) = flow {
            handshake::check_answer(&response.head, exchange.tunnel.as_ref())?;
            self.respond(key, &response.head, &response.body);
            return Ok(());
        }
        self.send_to_backend(key)
    }

    /// The route's backend by weight, and beside it a copy to its mirror.
    fn send_to_backend(&mut self, key: Key) -> Result<(), Failure> {
        let Self { exchanges, snapshot, rng, breakers, shard, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return Ok(()) };
        let Some(route) = exchange.route.map(|route| snapshot.route(route)) else { return Ok(()) };
        exchange
            .passes
            .enter_route(route.guard.as_ref(), Gate { breakers, shard, now: self.now })?;
        choose_backend(exchange, route, rng)?;
        match self.befall_request(key) {
            Befallen::Spared => self.send_on(key),
            Befallen::Taken => Ok(()),
        }
    }

    /// To the backend that is chosen.
    fn send_on(&mut self, key: Key) -> Result<(), Failure> {
        let Some(exchange) = self.exchanges.get(key) else { return Ok(()) };
        let Some(route) = exchange.route.map(|route| exchange.snapshot.route(route)) else {
            return Ok(());
        };
        let mirrors = route.mirror.is_some();
        if exchange.expects_continue {
            // The gateway buffers and retries, so it answers for the upstream (RFC 9110 §10.1.1).
            self.send_interim(key, &ResponseHead::new(100));
        }
        let attempted = self.attempt(key);
        if mirrors {
            self.mirror(key);
        }
        attempted
    }

    /// Cluster → endpoint → connection. The request is sent now or when a connection is ready.
    pub(crate) fn attempt(&mut self, key: Key) -> Result<(), Failure> {
        self.begin_waiting(key)?;
        let Self { exchanges, clusters, breakers, shard, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return Ok(()) };
        let no_endpoint = Failure::gateway(FailureKind::NoEndpoint, "no endpoint is available");
        let cluster = exchange.cluster.and_then(|id| clusters.get_mut(id)).ok_or(no_endpoint)?;
        let endpoint =
            pick_endpoint(exchange, cluster, self.now, &mut self.rng).ok_or(no_endpoint)?;
        let gate = Gate { breakers, shard, now: self.now };
        exchange.passes.enter_cluster(cluster.entry.guard.as_ref(), gate)?;
        exchange.endpoint = Some(endpoint);
        exchange.attempts += 1;
        prepare_attempt(exchange, self.now);
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
        if self.befall_attempt(key)? {
            return Ok(());
        }
        self.acquire(key)
    }

    /// A connection has a slot for this exchange: sends the request.
    pub(crate) fn send_request(&mut self, key: Key, upstream: Key) -> Result<Sent, Failure> {
        let Self { exchanges, connections, spare_buffers, .. } = self;
        let (Some(exchange), Some(connection)) =
            (exchanges.get_mut(key), connections.get_mut(upstream))
        else {
            return Ok(Sent::Unable);
        };
        let Some(codec) = connection.codec.as_mut() else { return Ok(Sent::Unable) };
        let body = &exchange.request_body;
        let mut end = body.ended && body.total == 0 && !body.has_trailers;
        if let Some(tunnel) = &exchange.tunnel {
            tunnel.prepare_request(&mut exchange.request, codec.is_http2());
            end = false;
        }
        let position = connection.out.position();
        let out = connection.out.buffer(spare_buffers);
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
            Err(cause) => self.not_opened(key, upstream, cause),
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
        // What is thrown away has a limit of its own.
        let has_limit = exchange.tunnel.is_none() && exchange.phase != Phase::Discarding;
        if has_limit && limits.body_bytes_max.is_some_and(|max| body.total > max) {
            let detail = "the request body is larger than `body_bytes_max`";
            self.exchange_failed(key, Failure::downstream(FailureKind::BodyTooLarge, detail));
            return false;
        }
        let (phase, keep_max) = (exchange.phase, limits.replay_bytes_max as usize);
        let bytes = match grpc_web::request_data(&mut exchange.grpc_web, bytes, end) {
            Ok(bytes) => bytes,
            Err(failure) => {
                self.exchange_failed(key, failure);
                return false;
            }
        };
        if exchange.mirror != Key::NONE {
            self.mirror_data(key, &bytes, end);
        }
        let Some(exchange) = self.exchanges.get_mut(key) else { return false };
        let body = &mut exchange.request_body;
        match phase {
            Phase::Discarding => self.discard(key),
            Phase::Responding if exchange.upstream.is_none() || exchange.response_ended => {}
            // The tunnel was refused.
            Phase::Responding if exchange.tunnel.is_some() => {}
            _ => {
                exchange.expects_continue = false;
                let bytes = match &mut exchange.fault {
                    Some(fault) => fault.request.alter(bytes),
                    None => bytes,
                };
                body.push(&bytes, keep_max);
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
        if exchange.mirror != Key::NONE {
            self.mirror_trailers(key);
        }
        self.flush_pipe(key, Direction::Request);
    }

    /// A response head, interim or final, was decoded into `heads.response`.
    pub(crate) fn response_begins(&mut self, key: Key, end: bool) {
        let Some(key) = self.answered(key, end) else { return };
        let accepted = self.accept_response(key, end);
        self.settle(key, accepted);
    }

    /// Whose answer it is that came to this exchange, if anybody's.
    fn answered(&mut self, key: Key, end: bool) -> Option<Key> {
        match self.exchanges.get(key)?.role {
            Role::Client => Some(key),
            Role::Hedge(client) => self.hedge_answers(key, client, end),
            Role::Mirror => {
                self.mirror_answers(key, end);
                None
            }
        }
    }

    fn accept_response(&mut self, key: Key, end: bool) -> Result<(), Failure> {
        self.faults.strike(Fault::ResponseHeadPanic);
        let Self { exchanges, heads, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return Ok(()) };
        let head = &mut heads.response;
        exchange.progressed = self.now;
        if exchange.tunnel.is_some() && (head.status == 101 || !head.is_interim()) {
            if self.tunnel_answered(key, end)? {
                return Ok(());
            }
        } else if head.status == 101 {
            let detail = "the upstream switched protocols without being asked";
            return Err(Failure::upstream(FailureKind::UpstreamProtocol, Retry::Never, detail));
        }
        let Self { exchanges, heads, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return Ok(()) };
        let head = &mut heads.response;
        if head.is_interim() {
            if head.status != 100 && exchange.version > Version::Http10 {
                let interim = std::mem::take(head);
                self.send_interim(key, &interim);
            }
            return Ok(());
        }
        if exchange.limited {
            let status = head.status;
            self.waited(key, status);
        }
        if self.is_replaced(key, end) {
            return Ok(());
        }
        let Self { exchanges, heads, clusters, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return Ok(()) };
        exchange.attempt_outcome = AttemptOutcome::of_status(heads.response.status);
        observe_latency(exchange, clusters, self.now);
        self.befall_response(key);
        let Self { exchanges, heads, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return Ok(()) };
        let Some(route) = exchange.route.map(|route| exchange.snapshot.route(route)) else {
            return Ok(());
        };
        let head = &mut heads.response;
        strip_hop_by_hop(&mut head.fields);
        route.chain.on_response(&exchange.request, head);
        exchange.affinity.set_cookie(route.backend(exchange.backend), exchange.secure, head);
        exchange.snapshot.intake.forwarding.tell_client(&mut head.fields, head.version);
        if exchange.is_grpc {
            exchange.grpc_status = grpc_status(head.fields.get(Known::GrpcStatus));
            // HTTP/1.0 has no trailers, and a length that was promised is to be kept.
            let may_end_early = exchange.version > Version::Http10
                && head.body == BodyLength::Unknown
                && has_grpc_type(&head.fields);
            exchange.grpc_messages = (!end && may_end_early).then(GrpcMessages::default);
            grpc_web::response_head(&mut exchange.grpc_web, head);
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

    /// A piece of response body. True: its flow-control bytes are kept back until it was passed on.
    pub(crate) fn response_data(&mut self, key: Key, bytes: &[u8], flow: u32, end: bool) -> bool {
        self.faults.strike(Fault::ResponseDataPanic);
        let Some(exchange) = self.exchanges.get_mut(key) else { return false };
        exchange.progressed = self.now;
        exchange.response_ended |= end;
        if let Some(messages) = &mut exchange.grpc_messages {
            messages.take(bytes);
        }
        let call = exchange.grpc_web;
        let bytes = grpc_web::response_data(call.as_ref(), bytes);
        let kept = self.pass_on_response(key, &bytes, flow, end);
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
        if exchange.is_grpc {
            exchange.grpc_status = grpc_status(self.heads.trailers.get(Known::GrpcStatus));
        }
        let (body, trailers) = (&mut exchange.response_body, &mut self.heads.trailers);
        grpc_web::end_in_trailers(exchange.grpc_web.as_ref(), body, trailers);
        self.flush_pipe(key, Direction::Response);
        self.upstream_ended(key);
        self.response_sent(key);
    }
}

/// What became of an attempt to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It is on its way.
    Yes,
    /// This connection takes no stream; another one is needed.
    Unable,
}

fn grpc_status(value: Option<&[u8]>) -> Option<u8> {
    std::str::from_utf8(value?).ok()?.parse().ok()
}
