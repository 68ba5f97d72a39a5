//! How an exchange ends: when both bodies have been handed over, or what is left of the request was
//! thrown away. It leaves one record, and its memory for the next one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_codec::ErrorCode;

use crate::arena::Key;
use crate::exchange_state::{Exchange, Phase, Role};
use crate::snapshot::Snapshot;
use crate::timer::TimerId;
use crate::worker::Worker;

/// How much of a request body is thrown away after its answer: an HTTP/1 connection can be kept so,
/// and an HTTP/2 client reads its answer before it sees a reset. A longer rest costs the connection,
/// or the stream.
const DISCARD_BYTES_MAX: u64 = 256 * 1024;
/// How long that rest may take.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);

/// Exchanges that a worker keeps for reuse.
const SPARE_MAX: usize = 1024;

/// A new exchange, in the memory of one that is over if there is any.
pub(super) fn fresh(
    spare: Option<Box<Exchange>>,
    snapshot: &Arc<Snapshot>,
    now: Instant,
) -> Box<Exchange> {
    match spare {
        Some(mut exchange) => {
            exchange.reset(snapshot, now);
            exchange
        }
        None => Box::new(Exchange::new(snapshot.clone(), now)),
    }
}

impl Worker {
    /// Looks whether the response has been handed over whole, and if so ends the exchange.
    pub(crate) fn response_sent(&mut self, key: Key) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        if exchange.phase == Phase::Tunnel {
            return self.tunnel_passed_on(key);
        }
        if exchange.role == Role::Mirror && exchange.response_ended {
            return self.finish(key);
        }
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
        exchange.discarded_from = exchange.request_body.total;
        exchange.request_body.forget();
        exchange.deadline = Some(self.now + DISCARD_TIMEOUT);
        connection.paused = false;
        self.pump_again(leg.connection);
        self.set_exchange_timer(key);
    }

    /// More of a request body that nobody wants.
    pub(super) fn discard(&mut self, key: Key) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        let body = &exchange.request_body;
        if body.ended {
            self.finish(key);
        } else if body.total - exchange.discarded_from > DISCARD_BYTES_MAX {
            self.reset_downstream(key, ErrorCode::NO_ERROR);
            self.finish(key);
        }
    }

    /// The exchange is over: one record, exactly once, and its place is free.
    pub(crate) fn finish(&mut self, key: Key) {
        self.detach_upstream(key, ErrorCode::CANCEL);
        let Some(exchange) = self.exchanges.get(key) else { return };
        let (hedge, mirror) = (exchange.hedge, exchange.mirror);
        if hedge != Key::NONE {
            self.drop_hedge(key);
        }
        if mirror != Key::NONE {
            self.cut_mirror(key, mirror);
        }
        let Some(mut exchange) = self.exchanges.remove(key) else { return };
        match exchange.role {
            Role::Mirror => self.mirror_over(&exchange),
            Role::Client | Role::Hedge(_) => self.record(&exchange),
        }
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
        self.recycle(exchange);
    }

    /// Takes an exchange that has no client out, without a record.
    pub(super) fn retire(&mut self, key: Key) {
        if let Some(exchange) = self.exchanges.remove(key) {
            self.give_back_passes(&exchange);
            self.recycle(exchange);
        }
    }

    /// Keeps the memory of an exchange that is over for the next one.
    pub(super) fn recycle(&mut self, mut exchange: Box<Exchange>) {
        self.timers.cancel(exchange.timer);
        exchange.timer = TimerId::NONE;
        exchange.fault = None;
        // One of an old snapshot would keep that in memory.
        if self.spare.len() < SPARE_MAX && Arc::ptr_eq(&exchange.snapshot, &self.snapshot) {
            self.spare.push(exchange);
        }
    }
}
