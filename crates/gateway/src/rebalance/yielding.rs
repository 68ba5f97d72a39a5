//! Busy connections that are to move are brought to rest: they are not read further, so that no new
//! request begins while those in flight are answered. What their clients send meanwhile waits in the
//! socket. Those that do not come to rest in time stay, and are read again.

use std::time::{Duration, Instant};

use crate::arena::Key;
use crate::worker::Worker;

use super::is_resting;

/// Connections that yield at the same time.
const YIELDING_MAX: usize = 32;
/// For so long a connection is not read, at most.
const YIELD_TIME: Duration = Duration::from_millis(100);

/// Those that a worker no longer reads.
#[derive(Debug, Default)]
pub(crate) struct Yielding {
    keys: Vec<Key>,
    until: Option<Instant>,
}

impl Yielding {
    /// When the last of them is read again; `None`: none yields.
    pub(crate) const fn until(&self) -> Option<Instant> {
        self.until
    }
}

impl Worker {
    /// Stops reading up to so many busy connections. How many.
    pub(super) fn ask_to_yield(&mut self, wanted: usize) -> usize {
        if wanted == 0 || self.yielding.until.is_some() {
            return 0;
        }
        let mut keys = self.connections.keys();
        if keys.is_empty() {
            return 0;
        }
        // Some may never rest, and must not be asked each time.
        let from = self.rng.below(keys.len() as u64) as usize;
        keys.rotate_left(from);
        for key in keys {
            if self.yielding.keys.len() == wanted.min(YIELDING_MAX) {
                break;
            }
            if self.only_awaits_answers(key)
                && let Some(connection) = self.connections.get_mut(key)
            {
                connection.yielding = true;
                self.yielding.keys.push(key);
            }
        }
        if !self.yielding.keys.is_empty() {
            self.yielding.until = Some(self.now + YIELD_TIME);
        }
        self.yielding.keys.len()
    }

    /// Nothing has to be read from it for its exchanges to end.
    fn only_awaits_answers(&mut self, key: Key) -> bool {
        let Some(connection) = self.connections.get_mut(key) else { return false };
        let stays = !connection.is_downstream()
            || connection.is_tunnel()
            || connection.closing
            || connection.lingering
            || connection.input_closed;
        let Some(codec) = connection.codec.as_mut().filter(|_| !stays) else { return false };
        let mut tags = Vec::new();
        codec.for_each_stream(|_, tag| tags.push(*tag));
        let asked = |tag: &u64| {
            let exchange = self.exchanges.get(Key::from_tag(*tag));
            exchange.is_some_and(|exchange| exchange.request_body.ended)
        };
        !tags.is_empty() && tags.iter().all(asked)
    }

    /// Gives away those that have come to rest, and reads the others again when their time is over.
    pub(crate) fn settle_yielding(&mut self) {
        let Some(until) = self.yielding.until else { return };
        let mut keys = std::mem::take(&mut self.yielding.keys);
        let over = self.draining || self.now >= until;
        let mut resting = Vec::new();
        keys.retain(|&key| {
            let Some(connection) = self.connections.get_mut(key) else { return false };
            let rests = is_resting(connection);
            if rests || over {
                connection.yielding = false;
            }
            if rests && !self.draining {
                resting.push(key);
            } else if over {
                self.pump_again(key);
            }
            !(rests || over)
        });
        self.give(&resting);
        self.yielding.until = Some(until).filter(|_| !keys.is_empty());
        self.yielding.keys = keys;
    }
}
