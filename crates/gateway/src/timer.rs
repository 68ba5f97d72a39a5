//! A hashed timer wheel whose timers can be set and cancelled in O(1) without allocation.
//!
//! Each exchange and each connection has at most one timer. A timer may fire early by design (its
//! owner looks at its own deadline and sets it again), never late by more than one tick.
//! Pure: `now` is an argument.

use std::time::{Duration, Instant};

use crate::arena::Key;

/// Length of a tick.
const TICK_MS: u64 = 4;
/// Slots of the wheel; a deadline further away than one turn waits in its slot for its round.
const SLOTS: usize = 4096;
const NIL: u32 = u32::MAX;

/// A timer that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerId(u32);

impl TimerId {
    /// No timer.
    pub(crate) const NONE: Self = Self(NIL);
}

/// Whose timer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Connection(Key),
    Exchange(Key),
    Relay(Key),
}

#[derive(Clone, Copy, Debug)]
struct Node {
    owner: Owner,
    tick: u64,
    previous: u32,
    next: u32,
}

/// The wheel of one worker.
#[derive(Debug)]
pub(crate) struct TimerWheel {
    origin: Instant,
    /// All ticks up to and including this one have fired.
    current: u64,
    slots: Box<[u32]>,
    occupied: Box<[u64]>,
    nodes: Vec<Node>,
    free: Vec<u32>,
}

impl TimerWheel {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            origin: now,
            current: 0,
            slots: vec![NIL; SLOTS].into_boxed_slice(),
            occupied: vec![0; SLOTS / 64].into_boxed_slice(),
            nodes: Vec::new(),
            free: Vec::new(),
        }
    }

    fn tick_of(&self, at: Instant) -> u64 {
        // Rounded up, so that a timer never fires before its deadline.
        at.saturating_duration_since(self.origin).as_millis() as u64 / TICK_MS + 1
    }

    /// Sets a timer; a deadline that has passed fires at the next tick.
    pub(crate) fn set(&mut self, deadline: Instant, owner: Owner) -> TimerId {
        let tick = self.tick_of(deadline).max(self.current + 1);
        let slot = (tick as usize) % SLOTS;
        let next = self.slots[slot];
        let node = Node { owner, tick, previous: NIL, next };
        let id = if let Some(id) = self.free.pop() {
            self.nodes[id as usize] = node;
            id
        } else {
            self.nodes.push(node);
            self.nodes.len() as u32 - 1
        };
        if next != NIL {
            self.nodes[next as usize].previous = id;
        }
        self.slots[slot] = id;
        self.occupied[slot / 64] |= 1 << (slot % 64);
        TimerId(id)
    }

    /// Cancels a timer that has not fired. The id must not be used again.
    pub(crate) fn cancel(&mut self, id: TimerId) {
        if id == TimerId::NONE {
            return;
        }
        let node = self.nodes[id.0 as usize];
        let slot = (node.tick as usize) % SLOTS;
        if node.previous == NIL {
            self.slots[slot] = node.next;
            if node.next == NIL {
                self.occupied[slot / 64] &= !(1 << (slot % 64));
            }
        } else {
            self.nodes[node.previous as usize].next = node.next;
        }
        if node.next != NIL {
            self.nodes[node.next as usize].previous = node.previous;
        }
        self.free.push(id.0);
    }

    /// Removes the timers that are due and appends their owners to `fired`.
    pub(crate) fn advance(&mut self, now: Instant, fired: &mut Vec<Owner>) {
        let target = now.saturating_duration_since(self.origin).as_millis() as u64 / TICK_MS;
        if target <= self.current {
            return;
        }
        // After a long sleep each slot is looked at once.
        let first = (self.current + 1).max((target + 1).saturating_sub(SLOTS as u64));
        for tick in first..=target {
            let slot = (tick as usize) % SLOTS;
            if self.occupied[slot / 64] & (1 << (slot % 64)) == 0 {
                continue;
            }
            let mut id = self.slots[slot];
            while id != NIL {
                let node = self.nodes[id as usize];
                if node.tick <= target {
                    self.cancel(TimerId(id));
                    fired.push(node.owner);
                }
                id = node.next;
            }
        }
        self.current = target;
    }

    /// How long until the next timer may be due; `None` if none is set.
    pub(crate) fn next_in(&self, now: Instant) -> Option<Duration> {
        let start = ((self.current + 1) as usize) % SLOTS;
        let words = SLOTS / 64;
        // One word more than there are: the first one is looked at again from its other side.
        for step in 0..=words {
            let word = (start / 64 + step) % words;
            let mut bits = self.occupied[word];
            if step == 0 {
                bits &= !0 << (start % 64);
            } else if step == words {
                bits &= !(!0 << (start % 64));
            }
            if bits != 0 {
                let slot = word * 64 + bits.trailing_zeros() as usize;
                let ahead = (slot + SLOTS - start) % SLOTS;
                let tick = self.current + 1 + ahead as u64;
                let at = self.origin + Duration::from_millis(tick * TICK_MS);
                return Some(at.saturating_duration_since(now));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
