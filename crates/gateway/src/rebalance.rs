//! Long-lived connections that gather at one worker move to the others, between two requests.
//!
//! The kernel spreads connections when they are accepted, and an evacuation hands parcels out by
//! size; but what lives for hours may become uneven afterwards. Each worker looks once a second: if it
//! has had clearly more than its share for a while, it gives connections on which nothing is in flight
//! to whoever has least, by the way that parcels of an evacuation go. If there are too few of these,
//! busy ones are brought to rest first ([`yielding`]). The clients do not notice.

use std::sync::atomic::Ordering;

use crate::arena::Key;
use crate::connection::Connection;
use crate::evacuation::Parcel;
use crate::mailbox::{Message, Slot};
use crate::timer::TimerId;
use crate::worker::Worker;

mod yielding;

pub(crate) use yielding::Yielding;

/// A worker with so many more than the mean has too many: with one less it would only change sides.
const EXCESS_MIN: usize = 2;
/// Looks, of a second each, for which it must have had too many.
const PATIENCE_LOOKS: u32 = 3;
/// Looks for which it keeps still after a move, so that all have seen what has become of it.
const REST_LOOKS: u32 = 5;
/// Connections moved at once.
const MOVED_MAX: usize = 256;

/// What a worker remembers between looks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Balance {
    too_many_for: u32,
    resting: u32,
}

impl Balance {
    /// How many connections to give to whoever has least; 0: none. `all`: the loads of all
    /// workers, `own` among them.
    fn look(&mut self, own: usize, all: &[usize]) -> usize {
        self.resting = self.resting.saturating_sub(1);
        let mean = all.iter().sum::<usize>() / all.len().max(1);
        let excess = own.saturating_sub(mean);
        if excess < EXCESS_MIN || own * 2 <= mean * 3 {
            self.too_many_for = 0;
            return 0;
        }
        self.too_many_for += 1;
        if self.too_many_for < PATIENCE_LOOKS || self.resting > 0 {
            return 0;
        }
        let least = all.iter().copied().min().unwrap_or(mean);
        excess.min(mean - least.min(mean)).min(MOVED_MAX)
    }

    fn moved(&mut self) {
        *self = Self { too_many_for: 0, resting: REST_LOOKS };
    }
}

impl Worker {
    /// One look; moves connections if it is time.
    pub(crate) fn rebalance(&mut self) {
        if !self.snapshot.rebalance || self.draining {
            return;
        }
        let siblings = self.shared.siblings(self.slot.index);
        let own = self.sockets();
        let mut all: Vec<usize> = siblings.iter().map(|slot| load(slot)).collect();
        all.push(own);
        let wanted = self.balance.look(own, &all);
        if wanted == 0 {
            return;
        }
        let resting = self.resting(wanted);
        let moved = self.give(&resting);
        if moved + self.ask_to_yield(wanted.saturating_sub(resting.len())) > 0 {
            self.balance.moved();
        }
    }

    /// Gives connections that rest to whoever has least. How many there were.
    fn give(&mut self, keys: &[Key]) -> usize {
        if keys.is_empty() {
            return 0;
        }
        let siblings = self.shared.siblings(self.slot.index);
        let Some(heir) = siblings.iter().min_by_key(|slot| load(slot)) else { return 0 };
        let parcels = self.pack_up(keys);
        let moved = parcels.len();
        if moved == 0 {
            return 0;
        }
        self.shard.evacuated_out(moved as u64);
        match heir.send(Message::Parcels(parcels)) {
            // The next who looks sees it there already.
            Ok(()) => {
                heir.connections.fetch_add(moved, Ordering::Relaxed);
            }
            // It died meanwhile: they stay.
            Err(Message::Parcels(refused)) => self.parcels.extend(refused),
            Err(_) => {}
        }
        moved
    }

    /// Up to so many clients' connections on which nothing is under way.
    fn resting(&self, wanted: usize) -> Vec<Key> {
        let rests = |key: &Key| self.connections.get(*key).is_some_and(|c| is_resting(c));
        self.connections.keys().into_iter().filter(rests).take(wanted).collect()
    }

    /// Takes them out, each a parcel.
    fn pack_up(&mut self, keys: &[Key]) -> Vec<Parcel> {
        let mut parcels = Vec::with_capacity(keys.len());
        for &key in keys {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if self.poll.registry().deregister(&mut connection.channel).is_err() {
                continue;
            }
            let Some(mut connection) = self.connections.remove(key) else { continue };
            self.timers.cancel(connection.timer);
            connection.timer = TimerId::NONE;
            parcels.push(Parcel::of_client(key, connection));
        }
        parcels
    }
}

fn load(slot: &Slot) -> usize {
    slot.connections.load(Ordering::Relaxed)
}

/// A client's connection that neither owes nor awaits anything.
fn is_resting(connection: &Connection) -> bool {
    let busy = connection.dirty
        || connection.again
        || connection.paused
        || connection.closing
        || connection.lingering
        || connection.input_closed
        || connection.blocked_since.is_some()
        || connection.head_since.is_some();
    let holds = !connection.pending.is_empty()
        || !connection.out.is_empty()
        || !connection.stalled.is_empty()
        || connection.channel.wants_write();
    connection.is_downstream()
        && connection.codec.is_some()
        && connection.streams() == 0
        && !busy
        && !holds
}

#[cfg(test)]
mod tests;
