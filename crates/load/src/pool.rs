//! The connections to one target, and the requests that wait for one of them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::connection::Client;
use crate::flight::Cause;
use crate::outcome::Outcome;

/// First wait before another attempt to connect, doubled with each up to the last.
const BACKOFF_NS_MIN: u64 = 5_000_000;
const BACKOFF_NS_MAX: u64 = 500_000_000;

/// A request that waits for a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) intended_ns: u64,
    pub(crate) cause: Cause,
    pub(crate) attempt: u32,
    pub(crate) class: usize,
}

/// The place of a connection.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) client: Option<Box<Client>>,
    /// Index of its pool.
    pub(crate) target: usize,
    /// It stands in its pool's `free`.
    pub(crate) listed: bool,
    /// Tells its connections apart, one after the other.
    pub(crate) generation: u32,
    /// Requests sent on the connection.
    pub(crate) requests: u64,
}

/// Why the last attempt to connect failed.
#[derive(Clone, Debug)]
pub(crate) struct ConnectError {
    pub(crate) cause: String,
    pub(crate) tls: bool,
}

/// State of one target.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    /// Slots that may have room; each at most once. The first is the next one to be used.
    pub(crate) free: VecDeque<usize>,
    pub(crate) waiting: VecDeque<Pending>,
    /// Connections that take requests.
    pub(crate) up: usize,
    /// Connections that are coming up.
    pub(crate) connecting: usize,
    /// Connections so far, to take the source addresses in turn.
    pub(crate) opened: usize,
    /// When to open those that are missing.
    tickets: BinaryHeap<Reverse<u64>>,
    backoff_ns: u64,
    pub(crate) error: Option<ConnectError>,
}

impl Pool {
    /// With so many connections to be opened at once.
    pub(crate) fn new(connections: usize) -> Self {
        Self { tickets: (0..connections).map(|_| Reverse(0)).collect(), ..Self::default() }
    }

    /// One connection is missing, and to be opened at `due_ns`.
    pub(crate) fn want(&mut self, due_ns: u64) {
        self.tickets.push(Reverse(due_ns));
    }

    /// An attempt has failed: it is repeated later, and later with each failure.
    pub(crate) fn want_after_failure(&mut self, now_ns: u64, error: ConnectError) {
        self.error = Some(error);
        self.backoff_ns = (self.backoff_ns * 2).clamp(BACKOFF_NS_MIN, BACKOFF_NS_MAX);
        self.tickets.push(Reverse(now_ns + self.backoff_ns));
    }

    /// A connection has come up.
    pub(crate) fn on_up(&mut self) {
        self.connecting -= 1;
        self.up += 1;
        self.backoff_ns = 0;
        self.error = None;
    }

    /// Whether a connection is to be opened now; at most `connecting_max` at a time.
    pub(crate) fn take_ticket(&mut self, now_ns: u64, connecting_max: usize) -> bool {
        let due = self.tickets.peek().is_some_and(|&Reverse(due)| due <= now_ns);
        due && self.connecting < connecting_max && self.tickets.pop().is_some()
    }

    /// The clock begins anew: what was to be done is to be done at once.
    pub(crate) fn reset_clock(&mut self) {
        let count = self.tickets.len();
        self.tickets = (0..count).map(|_| Reverse(0)).collect();
    }

    /// No more connections are to come.
    pub(crate) fn is_complete(&self) -> bool {
        self.tickets.is_empty() && self.connecting == 0
    }

    /// Takes the first request that waits if it was due at `before_ns` or earlier.
    pub(crate) fn take_overdue(&mut self, before_ns: u64) -> Option<Pending> {
        let is_overdue = |pending: &Pending| pending.intended_ns <= before_ns;
        self.waiting.front().is_some_and(is_overdue).then(|| self.waiting.pop_front()).flatten()
    }

    /// How a request ends that has waited too long.
    pub(crate) fn outcome_of_waiting(&self) -> Outcome {
        match &self.error {
            _ if self.up > 0 => Outcome::Unsent,
            Some(error) if error.tls => Outcome::Tls,
            _ => Outcome::Connect,
        }
    }
}
