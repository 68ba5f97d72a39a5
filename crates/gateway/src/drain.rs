//! The end of a worker in good order: takes nothing new, lets requests in flight end.

use std::time::{Duration, Instant};

use bulkhead_codec::ErrorCode;

use crate::guard::InHand;
use crate::worker::{Exit, Worker};

/// Between GOAWAY(2³¹−1) and the final one: a round trip, so that requests on their way are served.
const DRAIN_GRACE: Duration = Duration::from_millis(250);

impl Worker {
    /// Takes nothing new from now on, and tells the clients.
    pub(crate) fn begin_drain(&mut self, until: Instant) {
        self.draining = true;
        // Whoever was connected by the kernel already gets an answer.
        for index in 0..self.listeners.len() {
            self.accept(index);
        }
        self.drop_listeners();
        self.refuse_at = Some((self.now + DRAIN_GRACE).min(until));
        self.drain_until = Some(until);
        // The loop comes round for the second phase.
        self.next_housekeeping = self.now;
        for key in self.connections.keys() {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if !connection.is_downstream() {
                continue;
            }
            self.in_hand = InHand::connection(key);
            if let Some(codec) = connection.codec.as_mut() {
                codec.announce_close(&mut connection.out.bytes);
            }
            self.touch(key);
        }
        self.in_hand = InHand::NOTHING;
    }

    /// The second phase when it is due, and the end when nothing is left to serve.
    pub(crate) fn finished_draining(&mut self) -> Option<Exit> {
        let until = self.drain_until?;
        if self.refuse_at.is_some_and(|at| at <= self.now) {
            self.refuse_at = None;
            for key in self.connections.keys() {
                let Some(connection) = self.connections.get_mut(key) else { continue };
                if !connection.is_downstream() {
                    continue;
                }
                self.in_hand = InHand::connection(key);
                match connection.codec.as_mut() {
                    Some(codec) => {
                        codec.refuse_new(ErrorCode::NO_ERROR, &mut connection.out.bytes);
                    }
                    // It has not said anything until now.
                    None => connection.closing = true,
                }
                self.touch(key);
            }
            self.flush_dirty();
        }
        self.next_housekeeping = self.next_housekeeping.min(self.now + Duration::from_millis(20));
        let idle = self.exchanges.len() == 0
            && self.relays.len() == 0
            && self.parcels.is_empty()
            && self.is_flushed();
        let done = self.refuse_at.is_none() && idle;
        (done || self.now >= until).then_some(Exit::Stopped)
    }

    fn is_flushed(&self) -> bool {
        self.connections
            .keys()
            .into_iter()
            .filter_map(|key| self.connections.get(key))
            .all(|connection| connection.out.is_empty() && !connection.channel.wants_write())
    }
}
