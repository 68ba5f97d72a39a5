//! Long-lived connections that gather at one worker move to the others, between two requests.
//!
//! The kernel spreads connections when they are accepted, and an evacuation hands parcels out by
//! size; but what lives for hours may become uneven afterwards. Each worker looks once a second: if it
//! has had clearly more than its share for a while, it gives connections on which nothing is in flight
//! to whoever has least, by the way that parcels of an evacuation go. The clients do not notice.

use std::sync::atomic::Ordering;

use crate::arena::Key;
use crate::connection::Connection;
use crate::evacuation::Parcel;
use crate::mailbox::Message;
use crate::timer::TimerId;
use crate::worker::Worker;

/// A worker with so many more than the mean has too many: fewer are not worth a move.
const EXCESS_MIN: usize = 16;
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
        let load =
            |connections: &std::sync::atomic::AtomicUsize| connections.load(Ordering::Relaxed);
        let mut all: Vec<usize> = siblings.iter().map(|slot| load(&slot.connections)).collect();
        all.push(own);
        let wanted = self.balance.look(own, &all);
        let Some(heir) = siblings.iter().min_by_key(|slot| load(&slot.connections)) else { return };
        if wanted == 0 {
            return;
        }
        let parcels = self.pack_resting(wanted);
        if parcels.is_empty() {
            return;
        }
        let moved = parcels.len();
        match heir.send(Message::Parcels(parcels)) {
            Ok(()) => {
                self.shard.evacuated_out(moved as u64);
                // The next who looks sees it there already.
                heir.connections.fetch_add(moved, Ordering::Relaxed);
                self.balance.moved();
            }
            // It died meanwhile: they stay.
            Err(Message::Parcels(refused)) => {
                self.shard.evacuated_out(moved as u64);
                self.parcels.extend(refused);
            }
            Err(_) => {}
        }
    }

    /// Up to so many clients' connections on which nothing is under way, each a parcel.
    fn pack_resting(&mut self, wanted: usize) -> Vec<Parcel> {
        let rests = |key: &Key| self.connections.get(*key).is_some_and(|c| is_resting(c));
        let keys: Vec<Key> =
            self.connections.keys().into_iter().filter(rests).take(wanted).collect();
        let mut parcels = Vec::with_capacity(keys.len());
        for key in keys {
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
mod tests {
    use super::*;

    /// What is moved at each look while nothing changes.
    fn looks(balance: &mut Balance, own: usize, all: &[usize], count: usize) -> Vec<usize> {
        (0..count).map(|_| balance.look(own, all)).collect()
    }

    #[test]
    fn only_who_has_had_too_many_for_a_while_moves_some() {
        let mut balance = Balance::default();
        assert_eq!(looks(&mut balance, 90, &[10, 20, 90], 4), [0, 0, 30, 30]);
        balance.moved();
        // It rests, and then has to have had too many again.
        assert_eq!(looks(&mut balance, 90, &[10, 20, 90], 6), [0, 0, 0, 0, 30, 30]);
    }

    #[test]
    fn what_is_nearly_even_stays() {
        let mut balance = Balance::default();
        for (own, all) in [
            (15, &[0, 15][..]),
            (150, &[100, 50, 150]),
            (10, &[10, 90]),
            (500, &[500]),
            (0, &[0, 0]),
        ] {
            assert_eq!(looks(&mut balance, own, all, 5), [0; 5], "{all:?}");
        }
    }

    #[test]
    fn a_move_makes_nobody_else_too_full() {
        let mut balance = Balance::default();
        // The mean is 40: the emptiest has room for 30 of the 50 in excess.
        assert_eq!(looks(&mut balance, 90, &[10, 20, 90], 3)[2], 30);
        let mut balance = Balance::default();
        assert_eq!(looks(&mut balance, 10_000, &[0, 10_000], 3)[2], MOVED_MAX);
    }

    #[test]
    fn a_good_look_starts_the_patience_anew() {
        let mut balance = Balance::default();
        assert_eq!(looks(&mut balance, 90, &[10, 90], 2), [0, 0]);
        assert_eq!(balance.look(50, &[50, 50]), 0);
        assert_eq!(looks(&mut balance, 90, &[10, 90], 2), [0, 0]);
    }
}
