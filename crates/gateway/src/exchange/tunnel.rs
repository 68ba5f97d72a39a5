//! **The story of a tunnel**: an exchange whose handshake was agreed to, and which is then two streams
//! of bytes. The handshake is a request like any other: routed, filtered, balanced, tried again. With
//! the upstream's agreement the exchange enters [`Phase::Tunnel`], and its pipes carry the bytes.
//!
//! Nothing of the tunnel is passed on before: what an HTTP/1.1 client sends too early stays undecoded
//! with its connection, what an HTTP/2 client sends too early stays in the pipe, within its window.

use bulkhead_codec::OpenError;
use bulkhead_message::{Failure, FailureKind, Retry, strip_hop_by_hop};
use bulkhead_upstream::AttemptOutcome;

use super::Sent;
use super::backend::observe_latency;
use super::handshake::{Tunnel, Verdict};
use crate::arena::Key;
use crate::exchange_state::{Exchange, Leg, Phase};
use crate::flow::Direction;
use crate::worker::Worker;

impl Exchange {
    /// A tunnel that is asked for: its request is sent without a body, and nothing of the tunnel yet.
    pub(crate) fn awaits_tunnel(&self) -> bool {
        self.tunnel.is_some() && self.phase != Phase::Tunnel
    }
}

impl Worker {
    /// Looks at the final head, or the 101, in `heads.response`. True: it made a tunnel.
    pub(super) fn tunnel_answered(&mut self, key: Key, end: bool) -> Result<bool, Failure> {
        let Self { exchanges, connections, heads, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return Ok(false) };
        let Some(tunnel) = exchange.tunnel else { return Ok(false) };
        let upstream = exchange.upstream.and_then(|leg| connections.get(leg.connection));
        let http2 = upstream.and_then(|c| c.codec.as_ref()).is_some_and(|codec| codec.is_http2());
        match tunnel.judge(&heads.response, exchange.request.protocol(), http2) {
            Verdict::Agreed => {
                self.open_tunnel(key, tunnel, http2, end);
                Ok(true)
            }
            Verdict::Refused => {
                // HTTP/1.1: with the refusal the request is whole, and the connection good for others.
                exchange.request_body.end_sent = !http2;
                Ok(false)
            }
            Verdict::Broken(failure) => {
                if heads.response.status != 101 {
                    // Its answer is a good one, only not to this request.
                    let outcome = AttemptOutcome::of_status(heads.response.status);
                    self.tell_endpoint(key, outcome);
                }
                Err(failure)
            }
        }
    }

    /// Both sides have agreed. `end`: the upstream has ended its half at once.
    fn open_tunnel(&mut self, key: Key, tunnel: Tunnel, upstream_http2: bool, end: bool) {
        let Self { exchanges, connections, heads, clusters, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return };
        let head = &mut heads.response;
        exchange.attempt_outcome = AttemptOutcome::of_status(head.status);
        observe_latency(exchange, clusters, self.now);
        strip_hop_by_hop(&mut head.fields);
        if let Some(route) = exchange.route {
            let route = exchange.snapshot.route(route);
            route.chain.on_response(&exchange.request, head);
            exchange.affinity.set_cookie(route.backend(exchange.backend), exchange.secure, head);
            exchange.snapshot.intake.forwarding.tell_client(&mut head.fields, head.version);
            exchange.idle_timeout = route.timeouts.tunnel_idle;
        }
        if let Some(ids) = &exchange.snapshot.intake.request_ids {
            ids.tell(&exchange.request.fields, &mut head.fields);
        }
        tunnel.prepare_response(head, exchange.request.protocol(), upstream_http2);
        exchange.phase = Phase::Tunnel;
        exchange.status = head.status;
        exchange.deadline = None;
        exchange.tunnel_since = Some(self.now);
        exchange.request_body.forget();
        exchange.request_body.end_sent = false;
        exchange.response_ended = end;
        exchange.response_body.ended = end;
        self.shard.tunnel_opened(tunnel.kind.as_str());
        let Some(leg) = exchange.downstream else { return };
        let Some(connection) = connections.get_mut(leg.connection) else { return };
        let Some(codec) = connection.codec.as_mut() else { return };
        if !codec.is_http2() {
            // What ended was the request; its connection goes on.
            exchange.request_body.ended = false;
            connection.paused = false;
        }
        let sent = codec.respond(leg.stream, head, false, &mut connection.out.bytes);
        self.touch(leg.connection);
        if sent.is_err() {
            let detail = "the handshake cannot be expressed in the client's protocol";
            let failure = Failure::upstream(FailureKind::UpstreamProtocol, Retry::Never, detail);
            return self.exchange_failed(key, failure);
        }
        self.set_exchange_timer(key);
        // What came too early has its turn now.
        self.pump_again(leg.connection);
        self.flush_pipe(key, Direction::Request);
        if end {
            self.flush_pipe(key, Direction::Response);
        }
    }

    /// Looks whether the halves of a tunnel have ended, after something of it was passed on.
    pub(crate) fn tunnel_passed_on(&mut self, key: Key) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        let (request, response) = (exchange.request_body.end_sent, exchange.response_body.end_sent);
        if !request && !response {
            return;
        }
        let legs = [exchange.downstream, exchange.upstream];
        // Their sockets' halves end when all is flushed.
        for leg in legs.into_iter().flatten() {
            self.touch(leg.connection);
        }
        if request && response {
            self.upstream_ended(key);
            return self.finish(key);
        }
        self.limit_half_closed(key);
    }

    /// The other side of a tunnel whose one half has ended may be gone without a word: it is waited
    /// for no longer than an ordinary exchange would be.
    fn limit_half_closed(&mut self, key: Key) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        let Some(route) = exchange.route else { return };
        let idle = exchange.snapshot.route(route).timeouts.idle;
        if exchange.idle_timeout.is_none_or(|limit| limit > idle) {
            exchange.idle_timeout = Some(idle);
            self.set_exchange_timer(key);
        }
    }

    // === HTTP/2 upstreams that have not said yet whether they take extended CONNECT ===

    /// The codec of `upstream` did not open a stream for this exchange, which holds a slot there.
    pub(super) fn not_opened(
        &mut self,
        key: Key,
        upstream: Key,
        cause: OpenError,
    ) -> Result<Sent, Failure> {
        if matches!(cause, OpenError::Full | OpenError::Closing) {
            return Ok(Sent::Unable);
        }
        let Self { exchanges, connections, .. } = self;
        let (Some(exchange), Some(connection)) =
            (exchanges.get_mut(key), connections.get_mut(upstream))
        else {
            return Ok(Sent::Unable);
        };
        exchange.upstream = Some(Leg { connection: upstream, stream: Leg::UNOPENED });
        exchange.holds_slot = true;
        exchange.phase = Phase::Sent;
        // No byte of it has left, wherever the connection stands.
        exchange.sent_from = u64::MAX;
        if cause == OpenError::NotOffered {
            let detail = "the upstream does not offer extended CONNECT";
            let kind = FailureKind::UpstreamRefused;
            return Err(Failure::upstream(kind, Retry::Always, detail));
        }
        // As many at most as streams are assumed to be allowed: each holds a slot.
        connection.awaiting_settings.push(key);
        Ok(Sent::Yes)
    }

    /// The settings of an upstream are here: sends what has waited for them.
    pub(crate) fn settings_arrived(&mut self, upstream: Key) {
        let Some(connection) = self.connections.get_mut(upstream) else { return };
        for key in std::mem::take(&mut connection.awaiting_settings) {
            let waits = Some(Leg { connection: upstream, stream: Leg::UNOPENED });
            if self.exchanges.get(key).is_none_or(|exchange| exchange.upstream != waits) {
                continue;
            }
            self.guarded(key, |worker| {
                if worker.send_request(key, upstream)? == Sent::Yes {
                    return Ok(());
                }
                worker.release_slot(key);
                if let Some(exchange) = worker.exchanges.get_mut(key) {
                    exchange.upstream = None;
                    exchange.phase = Phase::Waiting;
                }
                worker.acquire(key)
            });
        }
    }
}
