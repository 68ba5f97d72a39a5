//! What injected faults do to an exchange: before it goes upstream, at an attempt, and to its answer.
//!
//! A failure that stands for the gateway's own doing is never booked against the endpoint; one that is
//! declared as the upstream's is, and may be tried again like any other.

use bulkhead_chaos::http::{AbortWith, HttpEffect, UpstreamFailure};
use bulkhead_codec::ErrorCode;
use bulkhead_message::{BodyLength, Failure, FailureKind, GrpcStatus, Known, ResponseHead, Retry};
use bulkhead_upstream::AttemptOutcome;

use crate::arena::Key;
use crate::exchange_state::{Exchange, Phase, Role};
use crate::failure_response;
use crate::faulted::{Cut, Faulted, Shaping};
use crate::flow::Direction;
use crate::injection::{Active, Asked, Drawn, Group, Point};
use crate::worker::Worker;

/// What an aborted request is told, in Envoy's words, which tests look for.
const ABORTED: &str = "fault filter abort";

/// What follows when an exchange has met the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Befallen {
    /// It goes on.
    Spared,
    /// It is held, or answered.
    Taken,
}

impl Worker {
    /// Whether there is any rule that this exchange could meet.
    #[inline]
    fn has_rules(&self, exchange: &Exchange) -> bool {
        let of_route = |route: u32| !exchange.snapshot.route(route).faults.is_empty();
        !self.injected.rules.is_empty() || exchange.route.is_some_and(of_route)
    }

    /// Draws the rules of a point, each once.
    fn draw(&mut self, key: Key, point: Point) -> Vec<Drawn> {
        let Self { exchanges, connections, clusters, injected, shard, now, .. } = self;
        let Some(exchange) = exchanges.get(key) else { return Vec::new() };
        let Some(route) = exchange.route.map(|route| exchange.snapshot.route(route)) else {
            return Vec::new();
        };
        let cluster = exchange.cluster.and_then(|id| clusters.get(id));
        let endpoint = exchange.endpoint.filter(|_| point != Point::Request);
        let endpoint = endpoint.zip(cluster).and_then(|(id, cluster)| cluster.pool.address(id));
        // A second attempt is for the client of the first.
        let leg = match exchange.role {
            Role::Hedge(first) => exchanges.get(first).and_then(|first| first.downstream),
            Role::Client | Role::Mirror => exchange.downstream,
        };
        let client = leg.and_then(|leg| connections.get(leg.connection));
        let asked = Asked {
            point,
            route: &route.name,
            cluster: cluster.map_or("", |cluster| &cluster.entry.config.name),
            endpoint: endpoint.as_ref(),
            request: &exchange.request,
            client: client.map(AsRef::as_ref),
            now: *now,
        };
        let rules = route.faults.iter().chain(injected.rules.iter());
        let drawn: Vec<Drawn> = rules.filter_map(|rule| rule.draw(&asked)).collect();
        for effect in drawn.iter().filter_map(|drawn| drawn.effect) {
            shard.fault_injected(effect.name());
        }
        drawn
    }

    /// The exchange is routed and has a backend: what befalls it before anything goes upstream.
    pub(super) fn befall_request(&mut self, key: Key) -> Befallen {
        let Some(exchange) = self.exchanges.get(key) else { return Befallen::Taken };
        if !self.has_rules(exchange) {
            return Befallen::Spared;
        }
        let drawn = self.draw(key, Point::Request);
        let Self { exchanges, connections, now, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return Befallen::Taken };
        let mut held = None;
        for Drawn { effect, active } in drawn {
            let fault = exchange.fault.get_or_insert_default();
            match fault.meet(effect, active) {
                Some(HttpEffect::Delay { delay, .. }) => held = held.max(Some(*now + delay)),
                Some(HttpEffect::Abort(with)) => fault.abort = Some(with),
                Some(HttpEffect::Goaway) => {
                    if let Some(leg) = exchange.downstream
                        && let Some(connection) = connections.get_mut(leg.connection)
                        && let Some(codec) = connection.codec.as_mut()
                    {
                        codec.refuse_new(ErrorCode::NO_ERROR, &mut connection.out.bytes);
                    }
                }
                // A tunnel is left alone once it is agreed on.
                Some(effect) if exchange.tunnel.is_none() => fault.request.shape(effect, *now),
                Some(_) | None => {}
            }
        }
        let Some(until) = held else { return self.abort_if_due(key) };
        exchange.phase = Phase::Held;
        exchange.retry_at = Some(until);
        self.set_exchange_timer(key);
        Befallen::Taken
    }

    fn abort_if_due(&mut self, key: Key) -> Befallen {
        let Some(exchange) = self.exchanges.get_mut(key) else { return Befallen::Taken };
        let abort = exchange.fault.as_mut().and_then(|fault| fault.abort.take());
        let Some(with) = abort else { return Befallen::Spared };
        let call = exchange.is_grpc.then(|| failure_response::call_type(&exchange.request.fields));
        let (head, body) = answer(with, call, self.date.text());
        self.answer_instead(key, head, body.as_bytes());
        Befallen::Taken
    }

    /// The time of a held exchange is over.
    pub(super) fn release_held(&mut self, key: Key) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        exchange.retry_at = None;
        exchange.progressed = self.now;
        let failure = exchange.fault.as_mut().and_then(|fault| fault.failure.take());
        if let Some(failure) = failure {
            return self.exchange_failed(key, failure);
        }
        if exchange.attempt_open {
            // The failure was taken back: the attempt goes on.
            exchange.phase = Phase::Waiting;
            let acquired = self.acquire(key);
            return self.settle(key, acquired);
        }
        exchange.phase = Phase::Begun;
        if self.abort_if_due(key) == Befallen::Spared {
            let sent = self.send_on(key);
            self.settle(key, sent);
        }
    }

    /// An endpoint is chosen. `Err`: the attempt fails, as the endpoint's fault. True: it is held, and
    /// will fail so.
    pub(super) fn befall_attempt(&mut self, key: Key) -> Result<bool, Failure> {
        let Some(exchange) = self.exchanges.get(key) else { return Ok(false) };
        if exchange.role == Role::Mirror || !self.has_rules(exchange) {
            return Ok(false);
        }
        let is_hedge = exchange.role != Role::Client;
        let mut fails = None;
        for Drawn { effect, active } in self.draw(key, Point::Attempt) {
            let Some(exchange) = self.exchanges.get_mut(key) else { return Ok(false) };
            let met = exchange.fault.get_or_insert_default().meet(effect, active);
            if let Some(HttpEffect::UpstreamFailure { failure, after }) = met {
                fails = Some((failure, after));
            }
        }
        let Some((failure, after)) = fails else { return Ok(false) };
        let failure = as_failure(failure);
        // The second of two attempts that go on side by side is not held: the first waits as well.
        if after.is_zero() || is_hedge {
            return Err(failure);
        }
        let Some(exchange) = self.exchanges.get_mut(key) else { return Ok(false) };
        exchange.fault.get_or_insert_default().failure = Some(failure);
        exchange.phase = Phase::Held;
        exchange.retry_at = Some(self.now + after);
        self.set_exchange_timer(key);
        Ok(true)
    }

    /// An upstream's answer is in `heads.response`, and its endpoint is judged already: what befalls it.
    pub(super) fn befall_response(&mut self, key: Key) {
        let Some(exchange) = self.exchanges.get(key) else { return };
        if !self.has_rules(exchange) {
            return;
        }
        let drawn = self.draw(key, Point::Response);
        let Self { exchanges, heads, now, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return };
        for Drawn { effect, active } in drawn {
            let fault = exchange.fault.get_or_insert_default();
            match fault.meet(effect, active) {
                Some(HttpEffect::ReplaceStatus { status }) => heads.response.status = status,
                Some(effect) => fault.response.shape(effect, *now),
                None => {}
            }
        }
        if exchange.fault.as_ref().is_some_and(|fault| fault.response.due().is_some()) {
            self.set_exchange_timer(key);
        }
    }

    /// Keeps the head in `heads.response` back, if the answer is held. True: it is.
    pub(super) fn keep_head(&mut self, key: Key, end: bool) -> bool {
        let Self { exchanges, heads, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return false };
        let Some(fault) = exchange.fault.as_mut().filter(|it| it.response.is_held()) else {
            return false;
        };
        exchange.phase = Phase::Responding;
        fault.head = Some(Box::new((std::mem::take(&mut heads.response), end)));
        true
    }

    /// A fault of this exchange has something to do: passes on what is due.
    pub(super) fn fault_due(&mut self, key: Key) {
        let now = self.now;
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        let Some(fault) = &mut exchange.fault else { return };
        exchange.progressed = now;
        fault.request.wake(now);
        if fault.response.wake(now)
            && let Some(kept) = fault.head.take()
        {
            let (head, end) = *kept;
            self.heads.response = head;
            self.send_head(key, end);
            if end {
                return self.response_sent(key);
            }
        }
        self.flush_pipe(key, Direction::Request);
        self.flush_pipe(key, Direction::Response);
    }

    /// Rules have ended: exchanges that they befell go on as if they had not.
    pub(crate) fn lift_faults(&mut self) {
        for key in self.exchanges.keys() {
            if self.exchanges.get(key).is_some_and(|exchange| exchange.fault.is_some()) {
                self.guarded(key, |worker| {
                    worker.lift_fault(key);
                    Ok(())
                });
            }
        }
    }

    /// If the rules that an exchange met have ended, it goes on as if it had not met them.
    pub(crate) fn lift_fault(&mut self, key: Key) {
        let now = self.now;
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        if !exchange.fault.as_mut().is_some_and(|fault| fault.lift(now)) {
            return;
        }
        match exchange.phase {
            Phase::Held => self.release_held(key),
            _ => self.fault_due(key),
        }
        self.set_exchange_timer(key);
    }

    /// A failure of an answer of which the client has not seen anything: it may be told as if it had come
    /// before the answer.
    pub(super) fn drop_kept_head(&mut self, key: Key) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        let Some(fault) = exchange.fault.as_mut().filter(|fault| fault.head.is_some()) else {
            return;
        };
        fault.head = None;
        fault.response = Shaping::default();
        exchange.response_body.clear(0);
        exchange.grpc_messages = None;
        exchange.phase = Phase::Sent;
        exchange.status = 0;
    }

    /// All of an answer that is to be passed on was passed on, and there would be more.
    pub(crate) fn cut_response(&mut self, key: Key, cut: Cut) {
        // Its endpoint did nothing wrong: what it is booked with is decided already.
        self.detach_upstream(key, ErrorCode::CANCEL);
        let Self { exchanges, connections, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return };
        exchange.response_ended = true;
        exchange.grpc_messages = None;
        exchange.response_body.ended = true;
        exchange.response_body.has_trailers = false;
        let Some(leg) = exchange.downstream else { return self.finish(key) };
        let Some(connection) = connections.get_mut(leg.connection) else {
            return self.finish(key);
        };
        match cut {
            Cut::End => self.flush_pipe(key, Direction::Response),
            Cut::Reset => {
                let http2 = connection.codec.as_ref().is_some_and(|codec| codec.is_http2());
                connection.abort |= !http2;
                let detail = "the answer was reset on purpose";
                exchange.failure = Some(Failure::gateway(FailureKind::Injected, detail));
                self.reset_downstream(key, ErrorCode::INTERNAL_ERROR);
                self.finish(key);
            }
        }
    }

    /// Tells the rules that an exchange met how it ended. Gives the group that its record is to name.
    pub(crate) fn record_faults(
        &self,
        exchange: &Exchange,
        fault: &Faulted,
    ) -> Option<&'static str> {
        let duration = self.now.saturating_duration_since(exchange.started);
        let failed = has_failed(exchange);
        fault.met.iter().for_each(|active| active.record(duration, failed));
        let group = fault.met.iter().find_map(Active::group)?;
        self.shard.fault_group_finished(group == Group::Experiment, duration, failed);
        Some(group.as_str())
    }
}

/// Whether its client has no answer, or one that tells of a failure which is not its own.
fn has_failed(exchange: &Exchange) -> bool {
    let grpc = exchange.grpc_status.map_or(AttemptOutcome::Success, AttemptOutcome::of_grpc_status);
    exchange.failure.is_some() || exchange.status >= 500 || grpc != AttemptOutcome::Success
}

const fn as_failure(failure: UpstreamFailure) -> Failure {
    match failure {
        UpstreamFailure::Refused => Failure::upstream(
            FailureKind::Connect,
            Retry::Always,
            "the connection was refused on purpose",
        ),
        UpstreamFailure::Reset => Failure::upstream(
            FailureKind::UpstreamReset,
            Retry::IfIdempotent,
            "the attempt was reset on purpose",
        ),
        UpstreamFailure::Timeout => Failure::upstream(
            FailureKind::HeadTimeout,
            Retry::IfIdempotent,
            "the attempt was left without an answer on purpose",
        ),
    }
}

/// The answer to an aborted request, in its client's terms. `call`: the content type of a gRPC call.
fn answer(with: AbortWith, call: Option<&[u8]>, date: &str) -> (ResponseHead, &'static str) {
    if let Some(content_type) = call {
        let status = match with {
            AbortWith::GrpcStatus(status) => status,
            AbortWith::Status(status) => GrpcStatus::from_http(status) as u8,
        };
        let status = status.to_string();
        return (failure_response::trailers_only(content_type, &status, ABORTED, date), "");
    }
    let status = match with {
        AbortWith::Status(status) => status,
        AbortWith::GrpcStatus(status) => status_of_grpc(status),
    };
    let mut head = ResponseHead::new(status);
    head.fields.push_known(Known::Date, date.as_bytes());
    if matches!(status, 204 | 205 | 304) {
        return (head, "");
    }
    head.fields.push_known(Known::ContentType, b"text/plain");
    head.fields.push_known(Known::ContentLength, ABORTED.len().to_string().as_bytes());
    head.body = BodyLength::Known(ABORTED.len() as u64);
    (head, ABORTED)
}

/// The status of HTTP that stands for one of gRPC (`google/rpc/code.proto`).
const fn status_of_grpc(status: u8) -> u16 {
    match status {
        1 => 499,
        3 | 9 | 11 => 400,
        4 => 504,
        5 => 404,
        6 | 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        14 => 503,
        16 => 401,
        _ => 500,
    }
}
