//! What an exchange may take: the whole of it, the wait for the response head, and a pause in which
//! nothing moves. One timer watches all of them, and the pause before another attempt.

use std::time::{Duration, Instant};

use bulkhead_message::{Failure, FailureKind, Known, Retry, Side, parse_grpc_timeout};

use super::body_rate::is_too_slow;
use crate::arena::Key;
use crate::exchange_state::{Exchange, Phase};
use crate::faults::Fault;
use crate::pipe::Pipe;
use crate::timer::{Owner, TimerId};
use crate::worker::Worker;

impl Worker {
    /// Something is due for this exchange.
    pub(crate) fn exchange_timer(&mut self, key: Key) {
        let now = self.now;
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        exchange.timer = TimerId::NONE;
        self.faults.strike(Fault::ExchangeTimerPanic);
        let slow = exchange.body_rate.due().is_some_and(|at| at <= now)
            && is_too_slow(exchange, &self.snapshot.limits, now);
        if exchange.retry_at.is_some_and(|at| at <= now) && exchange.phase == Phase::Pausing {
            exchange.retry_at = None;
            let attempted = self.attempt(key);
            self.settle(key, attempted);
        } else if exchange.retry_at.is_some_and(|at| at <= now) && exchange.phase == Phase::Held {
            self.release_held(key);
        } else if let Some(failure) = overdue(exchange, now) {
            self.exchange_failed(key, failure);
        } else if slow {
            let detail = "the request body comes slower than `body_rate_min`";
            self.exchange_failed(key, Failure::downstream(FailureKind::RequestTimeout, detail));
        } else if head_deadline(exchange).is_some_and(|at| at <= now) {
            let detail = "the upstream did not answer in time";
            let kind = FailureKind::HeadTimeout;
            self.exchange_failed(key, Failure::upstream(kind, Retry::IfIdempotent, detail));
        } else if exchange.hedge_at.is_some_and(|at| at <= now) {
            self.hedge(key);
        } else if exchange.fault.as_ref().is_some_and(|fault| fault.may_go_on(now)) {
            self.fault_due(key);
        } else if idle_deadline(exchange).is_some_and(|at| at <= now) {
            let side = awaited(exchange);
            let (kind, detail) = if side == Side::Downstream && !exchange.has_responded() {
                (FailureKind::RequestTimeout, "the request body did not come in time")
            } else {
                (FailureKind::IdleTimeout, "nothing moved for the idle time-out")
            };
            self.exchange_failed(key, Failure { kind, side, retry: Retry::Never, detail });
        }
        self.set_exchange_timer(key);
    }

    /// Sets the timer to whatever is due next.
    pub(crate) fn set_exchange_timer(&mut self, key: Key) {
        let Self { exchanges, timers, .. } = self;
        let Some(exchange) = exchanges.get_mut(key) else { return };
        timers.cancel(exchange.timer);
        let mut due = idle_deadline(exchange);
        for other in [
            exchange.deadline,
            exchange.retry_at,
            exchange.hedge_at,
            head_deadline(exchange),
            exchange.body_rate.due(),
            fault_due(exchange),
        ] {
            if let Some(at) = other
                && due.is_none_or(|due| at < due)
            {
                due = other;
            }
        }
        exchange.timer = due.map_or(TimerId::NONE, |due| timers.set(due, Owner::Exchange(key)));
    }
}

/// What has become of an exchange whose time is over. `None`: it is not.
pub(super) fn overdue(exchange: &Exchange, now: Instant) -> Option<Failure> {
    exchange.deadline.filter(|at| *at <= now)?;
    Some(Failure {
        kind: FailureKind::DeadlineExceeded,
        side: awaited(exchange),
        retry: Retry::Never,
        detail: "the exchange ran into its time limit",
    })
}

/// When the whole exchange must be over. A gRPC call may be a stream of any length, so its limit is
/// its client's `grpc-timeout`; the route's time-out then bounds the wait for the response head
/// ([`head_deadline`]).
pub(super) fn deadline(
    exchange: &Exchange,
    route: Option<Duration>,
    now: Instant,
) -> Result<Option<Instant>, Failure> {
    let timeout = if exchange.is_grpc {
        let asked = exchange.request.fields.get(Known::GrpcTimeout).map(parse_grpc_timeout);
        asked.transpose().map_err(|_| {
            Failure::downstream(FailureKind::BadRequest, "grpc-timeout is malformed")
        })?
    } else {
        route
    };
    Ok(timeout.and_then(|timeout| now.checked_add(timeout)))
}

/// Who would have to do something for the exchange to go on.
fn awaited(exchange: &Exchange) -> Side {
    let request = &exchange.request_body;
    match exchange.phase {
        Phase::Begun | Phase::Held => Side::Gateway,
        // What came of the answer waits for the client to take it.
        _ if !exchange.response_body.is_drained() => Side::Downstream,
        Phase::Waiting | Phase::Pausing => Side::Upstream,
        // What came of the request waits for the upstream to take it, or all of it was taken.
        Phase::Sent | Phase::Responding if request.ended || !request.is_drained() => Side::Upstream,
        Phase::Sent | Phase::Discarding => Side::Downstream,
        // A conversation: either may be waiting for the other.
        Phase::Responding | Phase::Tunnel => Side::Gateway,
    }
}

fn idle_deadline(exchange: &Exchange) -> Option<Instant> {
    exchange.progressed.checked_add(exchange.idle_timeout?)
}

fn fault_due(exchange: &Exchange) -> Option<Instant> {
    let fault = exchange.fault.as_ref()?;
    let waits = |body: &Pipe| !body.is_drained();
    let request = exchange.upstream.is_some() && waits(&exchange.request_body);
    fault.due(request, waits(&exchange.response_body))
}

fn head_deadline(exchange: &Exchange) -> Option<Instant> {
    let route = exchange.route.filter(|_| exchange.awaits_head())?;
    let timeouts = &exchange.snapshot.route(route).timeouts;
    let of_grpc = timeouts.request.filter(|_| exchange.is_grpc && exchange.deadline.is_none());
    exchange.attempt_started.checked_add(timeouts.backend_request.or(of_grpc)?)
}
