//! What a panic costs: the exchange that was being handled, else the connection, and no other.
//!
//! A worker notes what it has **in hand** before it handles it. A guard catches the panic and ends
//! what was in hand; everything else goes on. There is one guard for each batch of work (a read, the
//! flush of a turn), not for each event: a batch that can be entered again goes on where it was
//! ([`Worker::each_guarded`]). A panic that no guard catches ends the worker's loop; what it had in
//! hand then is ended and not evacuated, so that it cannot end the heirs as well.
//!
//! A panic is logged by the process's hook, once; here it is counted.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use bulkhead_codec::ErrorCode;
use bulkhead_message::{Failure, FailureKind};

use crate::arena::Key;
use crate::connection::Connection;
use crate::exchange_state::Role;
use crate::pump::{READ_BYTES, write_out};
use crate::worker::Worker;

/// Exchanges of one batch that may panic before the connection is given up.
const PANICS_PER_BATCH_MAX: usize = 64;

/// What a worker is handling, hence whom a panic costs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InHand {
    pub(crate) connection: Key,
    pub(crate) exchange: Key,
    pub(crate) relay: Key,
    /// Flow-control bytes of the event in hand that nobody answers for yet, and their stream.
    pub(crate) flow_bytes: u32,
    pub(crate) stream: u32,
}

impl InHand {
    pub(crate) const NOTHING: Self = Self::connection(Key::NONE);

    pub(crate) const fn connection(key: Key) -> Self {
        Self { connection: key, exchange: Key::NONE, relay: Key::NONE, flow_bytes: 0, stream: 0 }
    }
}

impl Worker {
    /// Runs one step of an exchange. Its failure, or its panic, ends this exchange only.
    pub(crate) fn guarded(
        &mut self,
        key: Key,
        step: impl FnOnce(&mut Self) -> Result<(), Failure>,
    ) {
        let outer = self.in_hand;
        self.in_hand = InHand { exchange: key, ..InHand::NOTHING };
        let run = AssertUnwindSafe(|| {
            let outcome = step(self);
            self.settle(key, outcome);
        });
        if catch_unwind(run).is_err() {
            self.exchange_panicked(key);
        }
        self.in_hand = outer;
    }

    /// Ends an exchange, or its attempt, if a step of it failed.
    #[inline]
    pub(crate) fn settle(&mut self, key: Key, outcome: Result<(), Failure>) {
        if let Err(failure) = outcome {
            self.exchange_failed(key, failure);
        }
    }

    /// Runs a step that handles one exchange after the other and can be entered again. A panic ends
    /// the exchange in hand, and the step goes on; without one in hand it is the connection's.
    #[inline]
    pub(crate) fn each_guarded<R>(
        &mut self,
        connection: Key,
        mut step: impl FnMut(&mut Self) -> R,
    ) -> R {
        for _ in 0..PANICS_PER_BATCH_MAX {
            self.in_hand = InHand::connection(connection);
            match catch_unwind(AssertUnwindSafe(|| step(self))) {
                Ok(result) => {
                    self.in_hand.exchange = Key::NONE;
                    return result;
                }
                Err(panic) if self.in_hand.exchange == Key::NONE => resume_unwind(panic),
                Err(_) => self.in_hand_panicked(),
            }
        }
        // Whatever panics next is the connection's.
        let result = step(self);
        self.in_hand.exchange = Key::NONE;
        result
    }

    /// Runs a step of a connection. A panic ends this connection only. False: it panicked.
    #[inline]
    pub(crate) fn guard_connection(&mut self, key: Key, step: impl FnOnce(&mut Self)) -> bool {
        self.in_hand = InHand::connection(key);
        let calm = catch_unwind(AssertUnwindSafe(|| step(self))).is_ok();
        if !calm {
            self.connection_panicked(key);
        }
        self.in_hand = InHand::NOTHING;
        calm
    }

    #[cold]
    fn in_hand_panicked(&mut self) {
        let InHand { connection, exchange, flow_bytes, stream, .. } = self.in_hand;
        self.exchange_panicked(exchange);
        // What this event carried is the exchange's no more.
        self.release(connection, stream, flow_bytes);
    }

    /// A panic while this exchange was being handled: it is over, and its client is told.
    #[cold]
    fn exchange_panicked(&mut self, key: Key) {
        self.shard.panicked();
        let end = AssertUnwindSafe(|| {
            let detail = "a panic in the gateway";
            self.exchange_failed(key, Failure::gateway(FailureKind::Internal, detail));
            self.set_exchange_timer(key);
        });
        if catch_unwind(end).is_err() {
            self.forget_exchange(key);
        }
    }

    /// A panic while this connection was being handled: it is lost, and all that hangs on it.
    #[cold]
    pub(crate) fn connection_panicked(&mut self, key: Key) {
        self.shard.panicked();
        self.restore_buffer();
        self.end_connection(key);
    }

    /// Gives the worker a buffer again, if its own went down with the read that had it.
    #[cold]
    pub(crate) fn restore_buffer(&mut self) {
        if self.buffer.len() < READ_BYTES {
            self.buffer.resize(READ_BYTES, 0);
        }
    }

    fn end_connection(&mut self, key: Key) {
        let end = AssertUnwindSafe(|| {
            if let Some(connection) = self.connections.get_mut(key)
                && let Some(codec) = connection.codec.as_mut()
            {
                codec.refuse_new(ErrorCode::INTERNAL_ERROR, &mut connection.out.bytes);
                let _ = write_out(connection, self.now);
            }
            self.connection_lost(key);
        });
        if catch_unwind(end).is_err() {
            self.forget_connection(key);
        }
    }

    /// The loop ended by a panic: ends what it had in hand, so that it is not evacuated.
    pub(crate) fn end_in_hand(&mut self) {
        let InHand { connection, exchange, relay, .. } = self.in_hand;
        self.in_hand = InHand::NOTHING;
        if self.relays.get(relay).is_some() {
            self.count_lost(1);
            return self.relay_panicked(relay);
        }
        if exchange != Key::NONE {
            return self.exchange_panicked(exchange);
        }
        let Some(found) = self.connections.get(connection) else { return };
        if found.is_downstream() {
            self.count_lost(1);
        }
        self.connection_panicked(connection);
    }

    /// Takes an exchange out whose orderly end panics as well, and ends its client's connection:
    /// nothing else would end the stream.
    pub(crate) fn forget_exchange(&mut self, key: Key) {
        // At worst the pool keeps a slot for a stream that is gone.
        let detach = AssertUnwindSafe(|| self.detach_upstream(key, ErrorCode::INTERNAL_ERROR));
        let _ = catch_unwind(detach);
        let hedge = AssertUnwindSafe(|| self.drop_hedge(key));
        let _ = catch_unwind(hedge);
        let Some(mut exchange) = self.exchanges.remove(key) else { return };
        self.timers.cancel(exchange.timer);
        match exchange.role {
            Role::Client => {}
            Role::Hedge(client) => {
                if let Some(client) = self.exchanges.get_mut(client).filter(|it| it.hedge == key) {
                    client.hedge = Key::NONE;
                }
                return;
            }
            Role::Mirror => return self.mirror_over(&exchange),
        }
        if let Some(leg) = exchange.downstream.take() {
            self.end_connection(leg.connection);
        }
        let detail = "a panic in the gateway";
        exchange.failure = Some(Failure::gateway(FailureKind::Internal, detail));
        // At worst one record is missing.
        let _ = catch_unwind(AssertUnwindSafe(|| self.record(&exchange)));
    }

    /// Takes a connection out whose orderly end panics as well. Exchanges that hang on it end by
    /// their timers.
    pub(crate) fn forget_connection(&mut self, key: Key) {
        // At worst the pool keeps a slot for a connection that is gone.
        let _ = catch_unwind(AssertUnwindSafe(|| self.pool_closed(key)));
        let Some(connection) = self.connections.remove(key) else { return };
        self.timers.cancel(connection.timer);
        self.downstream_left(&connection);
    }

    /// Counts the end of a connection that is no longer in the arena, if it is a client's.
    pub(crate) fn downstream_left(&self, connection: &Connection) {
        self.shared.downstream_left(connection, &self.shard);
    }
}
