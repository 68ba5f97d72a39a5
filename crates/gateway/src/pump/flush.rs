//! The pump's other half: outbox → socket, and the good order in which a connection closes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use bulkhead_message::{Failure, FailureKind};

use crate::arena::Key;
use crate::connection::{Connection, OUT_BYTES_MAX};
use crate::faults::Fault;
use crate::guard::InHand;
use crate::worker::Worker;

impl Worker {
    /// Flushes what is dirty: one write per connection and turn.
    pub(crate) fn flush_dirty(&mut self) {
        // Each round ends one connection.
        while catch_unwind(AssertUnwindSafe(|| self.flush_all())).is_err() {
            self.connection_panicked(self.in_hand.connection);
        }
        self.in_hand = InHand::NOTHING;
    }

    /// Can be entered again after a panic: goes on behind the connection that was in hand.
    fn flush_all(&mut self) {
        // Flushing may let stalled exchanges go on, and they add to the list.
        while let Some(&key) = self.dirty.get(self.flushed) {
            self.flushed += 1;
            self.in_hand = InHand::connection(key);
            self.flush(key);
        }
        self.dirty.clear();
        self.flushed = 0;
    }

    fn flush(&mut self, key: Key) {
        self.faults.strike(Fault::FlushPanic);
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.dirty = false;
        match write_out(connection, self.now) {
            Err(_) => {
                if connection.is_tunnel() {
                    // What its peer said before it went is still to be passed on.
                    connection.hung_up = true;
                    self.read(key);
                }
                return self.connection_lost(key);
            }
            Ok(0) => {}
            Ok(written) => {
                connection.active = self.now;
                if connection.is_downstream() {
                    self.shard.transferred(0, written as u64);
                }
            }
        }
        if connection.out.len() < OUT_BYTES_MAX / 2 && !connection.stalled.is_empty() {
            for exchange in std::mem::take(&mut connection.stalled) {
                self.guarded(exchange, |worker| {
                    worker.stream_writable(key, exchange);
                    Ok(())
                });
            }
            return self.touch(key);
        }
        if connection.closing && connection.out.is_empty() && !connection.channel.wants_write() {
            self.close_gracefully(key);
        } else if connection.out.is_empty() && connection.must_half_close() {
            connection.half_closed = true;
            connection.channel.close_notify();
        } else if connection.out.is_empty() && connection.streams() == 0 {
            connection.out.release_memory(&mut self.spare_buffers);
        }
    }

    /// Everything was said: ends our half and waits for the peer to end its own.
    fn close_gracefully(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.lingering {
            return;
        }
        if connection.abort {
            connection.channel.reset_on_close();
            return self.connection_lost(key);
        }
        if connection.input_closed || !connection.is_downstream() {
            // Whoever has ended its half does not send what a reset could answer.
            return self.connection_lost(key);
        }
        connection.channel.close_notify();
        connection.lingering = true;
        connection.paused = false;
        connection.pending = Vec::new();
        connection.active = self.now;
        self.fail_streams(
            key,
            Failure::downstream(FailureKind::ClientAborted, "the connection was closed"),
        );
        self.set_connection_timer(key);
        self.pump_again(key);
    }
}

/// Writes as much as the socket takes. Gives how many bytes it took.
pub(crate) fn write_out(connection: &mut Connection, now: Instant) -> std::io::Result<usize> {
    let mut written = 0;
    let mut blocked = false;
    while !connection.out.is_empty() && !blocked {
        let count = connection.channel.write(connection.out.waiting())?;
        blocked = count == 0;
        written += count;
        connection.out.advance(count);
    }
    if !blocked && connection.channel.wants_write() {
        blocked = !connection.channel.flush()?;
    }
    connection.blocked_since = match connection.blocked_since {
        _ if !blocked => None,
        // Only bytes that leave are progress, not what the peer sends meanwhile.
        Some(since) if written == 0 => Some(since),
        _ => Some(now),
    };
    Ok(written)
}
