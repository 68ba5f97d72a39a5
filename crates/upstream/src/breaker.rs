//! Circuit breaker: a limit of requests in flight, and requests turned away while too many fail.
//!
//! ```text
//!            share of failures in the window ≥ threshold,
//!            of at least `minimum_requests`
//!   closed ───────────────────────────────────────────────→ open ←──┐
//!      ↑                                                     │      │ one fails
//!      │ all succeed                          open_duration  ↓      │
//!      └────────────────────────────────────────────── half-open ───┘
//! ```
//!
//! Half-open, as many requests as are to succeed are let through, and no others. If they have not
//! all been heard of within another `open_duration`, as many more are: some may never be.
//!
//! Whoever is let through has a [`Pass`], and gives it back with what came of it. A pass knows the
//! breaker and the state it is of, so that what began before a change of state says nothing about
//! the state after it.

use std::time::{Duration, Instant};

use crate::window::{Counts, Window};

/// When a breaker opens and how it closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureLimit {
    /// Share of failures that opens it, in percent.
    pub failure_percent: u32,
    /// With fewer requests in the window it stays closed; 0 counts as 1.
    pub minimum_requests: u32,
    /// How far back requests are counted.
    pub window: Duration,
    /// How long it stays open.
    pub open_duration: Duration,
    /// Requests that must succeed to close it; 0 counts as 1.
    pub half_open_requests: u32,
}

/// What a breaker guards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Requests in flight at most; `None`: no limit.
    pub requests_max: Option<u32>,
    /// Failures; `None`: it never opens.
    pub failures: Option<FailureLimit>,
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Too many of those before it failed. More are let through after so long at the earliest.
    Open {
        /// How long.
        retry_after: Duration,
    },
    /// As many requests as may be are in flight.
    RequestsMax,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was answered well.
    Success,
    /// It was not.
    Failure,
    /// Nothing can be told: the client left, or the fault was ours.
    Neutral,
}

/// The right to be in flight. To be given back exactly once.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    breaker: u64,
    /// `None`: what comes of it is not counted.
    generation: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        until: Instant,
    },
    HalfOpen {
        /// Requests that may still be let through.
        left: u32,
        succeeded: u32,
        /// When those that were not heard of are given up.
        until: Instant,
    },
}

/// A breaker of one worker.
#[derive(Debug)]
pub struct Breaker {
    id: u64,
    settings: BreakerSettings,
    in_flight: u32,
    state: State,
    /// Counts changes of state.
    generation: u64,
    window: Window,
    /// Openings that were not told yet.
    opened: u64,
}

impl Breaker {
    /// A closed breaker. `id` is another for each breaker of a worker.
    pub fn new(id: u64, settings: BreakerSettings) -> Self {
        let window = window(&settings);
        Self { id, settings, in_flight: 0, state: State::Closed, generation: 0, window, opened: 0 }
    }

    /// Puts other settings in force. Other limits of failures are counted anew, from closed.
    pub fn set(&mut self, settings: BreakerSettings) {
        let anew = self.settings.failures != settings.failures;
        self.settings = settings;
        if anew {
            self.enter(State::Closed);
        }
    }

    /// Lets a request through, or not.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&mut self, now: Instant) -> Result<Pass, Rejection> {
        if self.settings.requests_max.is_some_and(|max| self.in_flight >= max) {
            return Err(Rejection::RequestsMax);
        }
        if let Some(limit) = self.settings.failures {
            self.admit_by_state(&limit, now)?;
        }
        self.in_flight += 1;
        Ok(Pass { breaker: self.id, generation: Some(self.generation) })
    }

    fn admit_by_state(&mut self, limit: &FailureLimit, now: Instant) -> Result<(), Rejection> {
        let due = match self.state {
            State::Closed => return Ok(()),
            State::Open { until } | State::HalfOpen { until, .. } => until,
        };
        if due <= now {
            let left = limit.half_open_requests.max(1);
            let until = now + limit.open_duration;
            self.enter(State::HalfOpen { left, succeeded: 0, until });
        }
        match &mut self.state {
            State::HalfOpen { left, .. } if *left > 0 => {
                *left -= 1;
                Ok(())
            }
            _ => Err(Rejection::Open { retry_after: due.saturating_duration_since(now) }),
        }
    }

    /// Takes over a request that another worker let through: it is counted as in flight, also beyond
    /// the limit, and what comes of it is not.
    pub const fn adopt(&mut self) -> Pass {
        self.in_flight += 1;
        Pass { breaker: self.id, generation: None }
    }

    /// Takes a pass back. One of another breaker is nothing here.
    pub fn give_back(&mut self, pass: Pass, verdict: Verdict, now: Instant) {
        if pass.breaker != self.id {
            return;
        }
        self.in_flight = self.in_flight.saturating_sub(1);
        let Some(limit) = self.settings.failures else { return };
        if pass.generation != Some(self.generation) {
            return;
        }
        match (&mut self.state, verdict) {
            (State::Closed, Verdict::Neutral) | (State::Open { .. }, _) => {}
            (State::Closed, _) => {
                let marked = u64::from(verdict == Verdict::Failure);
                self.window.count(Counts { requests: 1, marked }, now);
                let Counts { requests, marked: failures } = self.window.sums(now);
                let enough = requests >= u64::from(limit.minimum_requests.max(1));
                if enough && failures * 100 >= requests * u64::from(limit.failure_percent) {
                    self.open(&limit, now);
                }
            }
            (State::HalfOpen { left, .. }, Verdict::Neutral) => *left += 1,
            (State::HalfOpen { .. }, Verdict::Failure) => self.open(&limit, now),
            (State::HalfOpen { succeeded, .. }, Verdict::Success) => {
                *succeeded += 1;
                if *succeeded >= limit.half_open_requests.max(1) {
                    self.enter(State::Closed);
                }
            }
        }
    }

    fn open(&mut self, limit: &FailureLimit, now: Instant) {
        self.opened += 1;
        self.enter(State::Open { until: now + limit.open_duration });
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
        self.window = window(&self.settings);
    }

    /// Whether it is open or half-open.
    pub const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed)
    }

    /// How often it opened since the last call.
    pub const fn take_opened(&mut self) -> u64 {
        std::mem::replace(&mut self.opened, 0)
    }

    /// Requests in flight.
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }
}

/// What failures are counted in, empty.
fn window(settings: &BreakerSettings) -> Window {
    Window::new(settings.failures.map_or(Duration::ZERO, |limit| limit.window))
}

#[cfg(test)]
mod tests;
