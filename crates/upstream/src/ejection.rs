//! Passive ejection: an endpoint that fails several times in a row gets no requests for a while.
//!
//! Each further ejection lasts one `duration` longer, up to [`EJECTION_MAX`]; each `duration` that
//! the endpoint stays in service takes one off again. Never more than `percent_max` of the endpoints
//! are ejected at once (rounded down: with 50 %, one of three; a single endpoint never). Nothing
//! is probed: an ejected endpoint comes back when its time is over, and one more row of failures
//! is needed to eject it anew.

use std::time::{Duration, Instant};

use bulkhead_message::{Failure, FailureKind, Side};

/// Longest ejection.
pub const EJECTION_MAX: Duration = Duration::from_secs(300);

/// When an endpoint is ejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EjectionSettings {
    /// So many failures in a row eject; 0 counts as 1.
    pub consecutive_failures: u32,
    /// Length of the first ejection.
    pub duration: Duration,
    /// Share of the endpoints that may be ejected at once, in percent.
    pub percent_max: u32,
}

/// What an attempt says about its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The endpoint answered.
    Success,
    /// The endpoint could not be reached, broke off, or said that it cannot serve.
    Failure,
    /// Nothing: the client left, or the fault was ours.
    Neutral,
}

impl AttemptOutcome {
    /// What a response status says: 502, 503 and 504 are failures. Other errors (500 and 501 too)
    /// come from a working application: they belong to the request, not to the endpoint.
    pub const fn of_status(status: u16) -> Self {
        match status {
            502..=504 => Self::Failure,
            _ => Self::Success,
        }
    }

    /// What a failed attempt says. A refused stream or GOAWAY is how an endpoint leaves in good
    /// order, so it says nothing; neither do the limits of the whole exchange, which the client may
    /// have chosen, and which an answer that is a long stream may reach in good health.
    pub fn of_failure(failure: &Failure) -> Self {
        match (failure.side, failure.kind) {
            (
                Side::Upstream,
                FailureKind::UpstreamRefused
                | FailureKind::DeadlineExceeded
                | FailureKind::IdleTimeout,
            ) => Self::Neutral,
            (Side::Upstream, _) => Self::Failure,
            (Side::Downstream | Side::Gateway, _) => Self::Neutral,
        }
    }
}

/// Health of one endpoint as its attempts show it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Health {
    failures_in_row: u32,
    /// How many `duration`s the last ejection was worth.
    ejections: u32,
    ejected: bool,
    /// End of the current or of the last ejection.
    until: Option<Instant>,
}

impl Health {
    pub(crate) const fn is_ejected(&self) -> bool {
        self.ejected
    }

    /// End of the current ejection.
    pub(crate) const fn ejected_until(&self) -> Option<Instant> {
        if self.ejected { self.until } else { None }
    }

    /// Ends the ejection if its time is over; says whether it did.
    pub(crate) fn return_at(&mut self, now: Instant) -> bool {
        let over = self.ejected && self.until.is_some_and(|until| until <= now);
        if over {
            self.ejected = false;
            self.failures_in_row = 0;
        }
        over
    }

    /// Returns at once, with the past forgotten.
    pub(crate) fn forgive(&mut self) {
        *self = Self::default();
    }

    /// Counts an attempt; says whether the endpoint is now to be ejected.
    pub(crate) const fn record(
        &mut self,
        outcome: AttemptOutcome,
        settings: &EjectionSettings,
    ) -> bool {
        match outcome {
            AttemptOutcome::Success => self.failures_in_row = 0,
            AttemptOutcome::Neutral => {}
            AttemptOutcome::Failure => {
                self.failures_in_row = self.failures_in_row.saturating_add(1);
                return !self.ejected && self.failures_in_row >= settings.consecutive_failures;
            }
        }
        false
    }

    /// Ejects, and says for how long.
    pub(crate) fn eject(&mut self, now: Instant, settings: &EjectionSettings) -> Duration {
        let in_service = self.until.map_or(Duration::ZERO, |until| now.duration_since(until));
        let unit = settings.duration.as_nanos().max(1);
        let forgotten = u32::try_from(in_service.as_nanos() / unit).unwrap_or(u32::MAX);
        // Counting on beyond the longest ejection would only delay forgiveness.
        let most = u32::try_from(EJECTION_MAX.as_nanos() / unit).unwrap_or(u32::MAX);
        self.ejections = self.ejections.saturating_sub(forgotten).min(most).saturating_add(1);
        let length = settings.duration.saturating_mul(self.ejections).min(EJECTION_MAX);
        self.ejected = true;
        self.until = Some(now + length);
        length
    }
}

/// Whether one more of `total` endpoints may be ejected.
pub(crate) const fn may_eject(ejected: usize, total: usize, settings: &EjectionSettings) -> bool {
    (ejected + 1) * 100 <= total * settings.percent_max as usize
}

#[cfg(test)]
mod tests;
