//! The connections of a thread: opened, lost, replaced.

use std::cmp::Reverse;
use std::io;

use mio::Token;

use super::Worker;
use crate::clock::since;
use crate::connection::{Client, State};
use crate::outcome::Outcome;
use crate::pool::{ConnectError, Slot};

/// Connections to one target that are coming up at the same time, at most: more would overflow the
/// target's queue and be tried again by the kernel a second later.
const CONNECTING_MAX: usize = 256;

/// What a connection is looked at for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    /// It should have come up.
    Connect,
    /// It has had its life.
    Life,
}

impl Worker {
    /// Begins to connect where it is due.
    pub(super) fn open_due(&mut self, now: u64) {
        for target in 0..self.pools.len() {
            while self.pools[target].take_ticket(now, CONNECTING_MAX) {
                let index = self.vacant.pop().unwrap_or_else(|| {
                    self.slots.push(Slot::default());
                    self.slots.len() - 1
                });
                let pool = &mut self.pools[target];
                pool.opened += 1;
                let options = &self.options.targets[target];
                let registry = self.poll.registry();
                match Client::connect(options, pool.opened, registry, Token(index)) {
                    Ok(client) => {
                        pool.connecting += 1;
                        let generation = self.slots[index].generation.wrapping_add(1);
                        let client = Some(Box::new(client));
                        self.slots[index] =
                            Slot { client, target, listed: false, generation, requests: 0 };
                        self.give_time(index, now);
                    }
                    Err(cause) => {
                        self.vacant.push(index);
                        self.count_failure(target, &cause, false, now);
                    }
                }
            }
        }
    }

    /// Decides when a connection has had its time to come up, and when its life.
    pub(super) fn give_time(&mut self, index: usize, now: u64) {
        let slot = &self.slots[index];
        let Some(client) = &slot.client else { return };
        if client.state != State::Up {
            let timeout = self.options.timeout.as_nanos() as u64;
            self.lives.push(Reverse((now + timeout, index, slot.generation, Look::Connect)));
        }
        if let Some(life) = self.options.targets[slot.target].connection_life {
            let life = (life.as_nanos() as f64 * (0.5 + self.random.unit())) as u64;
            self.lives.push(Reverse((now + life, index, slot.generation, Look::Life)));
        }
    }

    /// Lets connections go that have had their life, and gives up those that did not come up.
    pub(super) fn retire_old(&mut self, now: u64) {
        while let Some(&Reverse((at, index, generation, look))) = self.lives.peek()
            && at <= now
        {
            self.lives.pop();
            let slot = &self.slots[index];
            let Some(client) = slot.client.as_ref().filter(|_| slot.generation == generation)
            else {
                continue;
            };
            match (look, client.state) {
                (Look::Life, _) => self.drain(index, now),
                (Look::Connect, State::Up | State::Draining) => {}
                (Look::Connect, state) => {
                    let cause = io::Error::new(
                        io::ErrorKind::TimedOut,
                        "the connection did not come up within the time-out",
                    );
                    self.connect_failed(index, &cause, state == State::Handshaking);
                }
            }
        }
    }

    /// A connection takes no more requests; another takes its place. It is closed when it is idle.
    pub(super) fn drain(&mut self, index: usize, now: u64) {
        let slot = &mut self.slots[index];
        let Some(client) = slot.client.as_mut() else { return };
        if client.state != State::Up {
            return;
        }
        client.state = State::Draining;
        let pool = &mut self.pools[slot.target];
        pool.up -= 1;
        pool.want(now);
        if client.codec.active_streams() == 0 {
            self.retire(index);
        }
    }

    /// A connection has come up, TLS and all.
    pub(super) fn on_up(&mut self, index: usize, client: &mut Client) -> io::Result<()> {
        let connections = &mut self.tally.connections;
        if let Some(resumed) = client.check_tls()? {
            connections.handshakes += 1;
            connections.resumed += u64::from(resumed);
        }
        if client.codec.must_upgrade() {
            client.state = State::Upgrading;
        } else {
            self.on_usable(self.slots[index].target, client);
        }
        Ok(())
    }

    /// A connection takes requests from now on.
    pub(super) fn on_usable(&mut self, target: usize, client: &mut Client) {
        self.tally.connections.opened += 1;
        client.state = State::Up;
        self.pools[target].on_up();
    }

    /// A connection did not come up.
    pub(super) fn connect_failed(&mut self, index: usize, cause: &io::Error, tls: bool) {
        let now = since(self.start);
        let target = self.slots[index].target;
        self.pools[target].connecting -= 1;
        self.vacate(index);
        self.count_failure(target, cause, tls, now);
    }

    fn count_failure(&mut self, target: usize, cause: &io::Error, tls: bool, now: u64) {
        let connections = &mut self.tally.connections;
        connections.connects_failed += 1;
        connections.tls_failed += u64::from(tls);
        connections.exhausted += u64::from(is_exhaustion(cause));
        let error = ConnectError { cause: cause.to_string(), tls };
        self.pools[target].want_after_failure(now, error);
    }

    /// A connection has ended under us: what was in flight on it has failed.
    pub(super) fn lose(&mut self, index: usize, outcome: Outcome) {
        let Some(client) = self.slots[index].client.as_ref() else { return };
        // One that was going away in order and had nothing left to do is not lost.
        if client.state != State::Draining || client.codec.active_streams() > 0 {
            self.tally.connections.lost += 1;
        }
        self.end_connection(index, outcome, "the connection ended");
    }

    /// A connection has done what it could and is closed from our side.
    pub(super) fn retire(&mut self, index: usize) {
        self.end_connection(index, Outcome::Closed, "the connection was closed");
    }

    fn end_connection(&mut self, index: usize, outcome: Outcome, detail: &'static str) {
        let now = since(self.start);
        let slot = &mut self.slots[index];
        let Some(client) = slot.client.as_mut() else { return };
        let mut places = Vec::new();
        client.codec.for_each_stream(|_, tag| places.extend(super::answers::place_of(*tag)));
        if client.state == State::Up {
            let pool = &mut self.pools[slot.target];
            pool.up -= 1;
            pool.want(now);
        }
        self.vacate(index);
        for place in places {
            let begun = self.flights.get(place).is_some_and(|flight| flight.head.status != 0);
            let outcome = match outcome {
                Outcome::Closed if begun => Outcome::Truncated,
                outcome => outcome,
            };
            self.fail(place, outcome, now, detail);
        }
    }

    fn vacate(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        if let Some(client) = slot.client.take() {
            client.close(self.poll.registry());
            if slot.listed {
                slot.listed = false;
                self.pools[slot.target].free.retain(|&listed| listed != index);
            }
            self.vacant.push(index);
        }
    }

    /// Ends the run for the connections.
    pub(super) fn close_all(&mut self) {
        for index in 0..self.slots.len() {
            self.vacate(index);
        }
    }
}

/// Whether the system had no descriptor, no port or no memory left: the generator is the limit.
fn is_exhaustion(cause: &io::Error) -> bool {
    use rustix::io::Errno;
    let limits = [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL, Errno::NOBUFS, Errno::NOMEM];
    cause.raw_os_error().is_some_and(|raw| limits.contains(&Errno::from_raw_os_error(raw)))
}
