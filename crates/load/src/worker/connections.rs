//! The connections of a thread: opened, lost, replaced.

use std::io;

use mio::Token;

use super::Worker;
use crate::clock::since;
use crate::connection::{Client, State};
use crate::outcome::Outcome;

/// First wait before another attempt to connect, doubled with each up to the last.
const BACKOFF_NS_MIN: u64 = 5_000_000;
const BACKOFF_NS_MAX: u64 = 500_000_000;

/// How often old connections are looked for.
const LOOK_NS: u64 = 10_000_000;

/// The place of a connection.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) client: Option<Box<Client>>,
    /// Without a connection: when to try again.
    pub(super) retry_at_ns: u64,
    pub(super) backoff_ns: u64,
    /// With a connection: when it takes no more requests.
    pub(super) old_at_ns: u64,
}

impl Worker {
    /// Connections that take requests.
    pub(super) fn count_up(&self) -> usize {
        let clients = self.slots.iter().filter_map(|slot| slot.client.as_ref());
        clients.filter(|client| client.state == State::Up).count()
    }

    /// Begins to connect where it is due.
    pub(super) fn open_due(&mut self, now: u64) {
        if self.waiting == 0 {
            return;
        }
        for place in 0..self.pool.len() {
            let index = self.pool[place];
            let slot = &self.slots[index];
            if slot.client.is_some() || slot.retry_at_ns > now {
                continue;
            }
            match Client::connect(&self.options, self.poll.registry(), Token(index)) {
                Ok(client) => {
                    self.slots[index].client = Some(Box::new(client));
                    self.waiting -= 1;
                    self.give_life(index, now);
                }
                Err(cause) => {
                    self.tally.connects_failed += 1;
                    self.connect_error = Some(cause.to_string());
                    self.back_off(index, now);
                }
            }
        }
    }

    /// Decides when a connection has had its life.
    pub(super) fn give_life(&mut self, index: usize, now: u64) {
        self.slots[index].old_at_ns = match self.options.connection_life {
            None => u64::MAX,
            Some(life) => now + (life.as_nanos() as f64 * (0.5 + self.random.unit())) as u64,
        };
    }

    /// Lets connections go that have had their life.
    pub(super) fn retire_old(&mut self, now: u64) {
        if self.options.connection_life.is_none() || now < self.next_look_ns {
            return;
        }
        self.next_look_ns = now + LOOK_NS;
        for place in 0..self.pool.len() {
            let index = self.pool[place];
            let slot = &mut self.slots[index];
            let Some(client) = slot.client.as_mut() else { continue };
            if slot.old_at_ns > now || client.state != State::Up {
                continue;
            }
            client.state = State::Draining;
            if client.codec.active_streams() == 0 {
                self.retire(index);
            } else {
                self.replace(index);
            }
        }
    }

    fn back_off(&mut self, index: usize, now: u64) {
        let slot = &mut self.slots[index];
        slot.backoff_ns = (slot.backoff_ns * 2).clamp(BACKOFF_NS_MIN, BACKOFF_NS_MAX);
        slot.retry_at_ns = now + slot.backoff_ns;
    }

    /// An attempt to connect has failed.
    pub(super) fn connect_failed(&mut self, index: usize, cause: &io::Error) {
        self.connect_error = Some(cause.to_string());
        self.tally.connects_failed += 1;
        self.drop_client(index);
        self.back_off(index, since(self.start));
    }

    /// A connection has ended under us: what was in flight on it has failed.
    pub(super) fn lose(&mut self, index: usize, outcome: Outcome) {
        let now = since(self.start);
        let Some(mut client) = self.slots.get_mut(index).and_then(|slot| slot.client.take()) else {
            return;
        };
        let mut places = Vec::new();
        client.codec.for_each_stream(|_, tag| places.extend(super::answers::place_of(*tag)));
        // One that was going away in order and had nothing left to do is not lost.
        if client.state != State::Draining || !places.is_empty() {
            self.tally.connections_lost += 1;
        }
        for place in places {
            self.fail(place, outcome, now, "the connection ended");
        }
        self.slots[index].client = Some(client);
        self.drop_client(index);
        self.slots[index].retry_at_ns = now;
    }

    /// A connection has done what it could and is closed from our side.
    pub(super) fn retire(&mut self, index: usize) {
        let now = since(self.start);
        let mut places = Vec::new();
        if let Some(client) = &mut self.slots[index].client {
            client.codec.for_each_stream(|_, tag| places.extend(super::answers::place_of(*tag)));
        }
        for place in places {
            self.fail(place, Outcome::Closed, now, "the connection was closed");
        }
        self.drop_client(index);
        self.slots[index].retry_at_ns = now;
    }

    fn drop_client(&mut self, index: usize) {
        if let Some(client) = self.slots[index].client.take() {
            client.close(self.poll.registry());
            if self.pool.contains(&index) {
                self.waiting += 1;
            }
        }
    }

    /// A connection is going away but still has answers to come: another takes its place.
    pub(super) fn replace(&mut self, index: usize) {
        let Some(place) = self.pool.iter().position(|&pooled| pooled == index) else { return };
        let free = |slot: usize| self.slots[slot].client.is_none() && !self.pool.contains(&slot);
        let successor = (0..self.slots.len()).find(|&slot| free(slot)).unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() - 1
        });
        self.slots[successor] = Slot::default();
        self.pool[place] = successor;
        self.waiting += 1;
    }

    /// Ends the run for the connections.
    pub(super) fn close_all(&mut self) {
        for index in 0..self.slots.len() {
            self.drop_client(index);
        }
    }
}
