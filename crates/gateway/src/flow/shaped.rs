//! Response bytes of an exchange that a fault befalls: altered, cut off or slowed down.

use std::borrow::Cow;
use std::time::Instant;

use bulkhead_codec::{Codec, SendError, StreamId};

use super::Direction;
use crate::arena::Key;
use crate::exchange_state::Exchange;
use crate::pipe::Pipe;
use crate::worker::Worker;

impl Worker {
    /// As [`Worker::pass_on_response`], by way of the pipe.
    pub(super) fn pass_on_shaped(&mut self, key: Key, bytes: &[u8], flow: u32, end: bool) -> bool {
        let Some(exchange) = self.exchanges.get_mut(key) else { return false };
        let Some(fault) = &mut exchange.fault else { return false };
        let bytes = fault.response.alter(Cow::Borrowed(bytes));
        let body = &mut exchange.response_body;
        body.total += bytes.len() as u64;
        body.ended |= end;
        if exchange.downstream.is_none() {
            return false;
        }
        body.push(&bytes, 0);
        body.owed += flow;
        self.in_hand.flow_bytes = 0;
        self.flush_pipe(key, Direction::Response);
        true
    }

    /// The pipe of an exchange that a fault befalls was flushed, and so many bytes are left in it.
    pub(super) fn flushed_shaped(&mut self, key: Key, direction: Direction, left: usize) {
        if left > 0 {
            return self.set_exchange_timer(key);
        }
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        let Some(fault) = &mut exchange.fault else { return };
        if direction == Direction::Response
            && !fault.response.is_held()
            && let Some(cut) = fault.response.take_cut()
        {
            self.cut_response(key, cut);
        }
    }
}

/// How much of a pipe may be passed on now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    pub(crate) bytes: usize,
    /// The end may be passed on as well, if it has come.
    pub(crate) end: bool,
}

impl Room {
    pub(super) const ALL: Self = Self { bytes: usize::MAX, end: true };

    #[cold]
    pub(super) fn of(exchange: &mut Exchange, direction: Direction, now: Instant) -> Self {
        let Some(fault) = &mut exchange.fault else { return Self::ALL };
        let shaping = fault.shaping(direction);
        let end = shaping.cut().is_none() && !shaping.is_held();
        Self { bytes: shaping.room(now), end }
    }
}

impl Pipe {
    /// Passes on what waits, as far as the receiving stream takes it and there is room, and the end
    /// behind it; of a connection that is `full`, trailers alone.
    pub(super) fn pass_on(
        &mut self,
        codec: &mut Codec,
        stream: StreamId,
        full: bool,
        room: Room,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let before = self.waiting().len();
        let offered = before.min(room.bytes);
        let end = self.ended && !self.has_trailers && room.end && offered == before;
        if !full && (offered > 0 || end) {
            let taken = codec.send_data(stream, &self.waiting()[..offered], end, out)?;
            self.advance(taken);
            self.end_sent = end && taken == before;
        }
        // Not whatever has ended: an end that the full outbox kept back is no trailers.
        if self.is_drained() && self.has_trailers && !self.end_sent && room.end {
            self.end_sent = true;
            codec.send_trailers(stream, &self.trailers, out)?;
        }
        Ok(())
    }
}
