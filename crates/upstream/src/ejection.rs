//! Passive ejection (outlier detection): an endpoint that fails gets no requests for a while.
//!
//! Three things eject: failures in a row; and, looked at once per `interval`, a success rate far below
//! that of the others ([`SuccessRate`]) or a share of failures beyond a threshold
//! ([`FailurePercentage`]).
//!
//! Each further ejection lasts one `duration` longer, up to `duration_max`; each `duration` that
//! the endpoint stays in service takes one off again. Never more than `percent_max` of the endpoints
//! are ejected at once (rounded down: with 50 %, one of three; a single endpoint never). Nothing
//! is probed: an ejected endpoint comes back when its time is over, and it takes new failures to
//! eject it anew.

use std::time::{Duration, Instant};

use bulkhead_message::{Failure, FailureKind, Side};

mod outliers;
mod statuses;

pub use outliers::{FailurePercentage, SuccessRate};
pub(crate) use outliers::{Tally, outliers};
pub use statuses::ServerErrors;

/// When an endpoint is ejected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EjectionSettings {
    /// So many failures in a row eject; 0 counts as 1.
    pub consecutive_failures: u32,
    /// Answers that count as failures in a row.
    pub codes: ServerErrors,
    /// How often rates are looked at.
    pub interval: Duration,
    /// Ejection by success rate; `None`: off.
    pub success_rate: Option<SuccessRate>,
    /// Ejection by share of failures; `None`: off.
    pub failure_percentage: Option<FailurePercentage>,
    /// Length of the first ejection.
    pub duration: Duration,
    /// Length of the longest.
    pub duration_max: Duration,
    /// Share of the endpoints that may be ejected at once, in percent.
    pub percent_max: u32,
}

impl EjectionSettings {
    /// The defaults of the configuration.
    pub const DEFAULT: Self = Self {
        consecutive_failures: 5,
        codes: ServerErrors::OF_GATEWAYS,
        interval: Duration::from_secs(10),
        success_rate: None,
        failure_percentage: None,
        duration: Duration::from_secs(30),
        duration_max: Duration::from_secs(300),
        percent_max: 50,
    };

    /// Whether anything is to be done each interval.
    pub(crate) const fn counts_rates(&self) -> bool {
        self.success_rate.is_some() || self.failure_percentage.is_some()
    }
}

/// What an attempt says about its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The endpoint answered.
    Success,
    /// The endpoint answered with this status of 5xx.
    ServerError(u16),
    /// The endpoint could not be reached, broke off, or did not answer in time.
    Failure,
    /// Nothing: the client left, or the fault was ours.
    Neutral,
}

impl AttemptOutcome {
    /// What a response status says. Whether an error of the server is a failure of its endpoint is
    /// for the cluster's settings to say: by default 502, 503 and 504 are, others (500 and 501 too)
    /// come from a working application and belong to the request.
    pub const fn of_status(status: u16) -> Self {
        match status {
            500..=599 => Self::ServerError(status),
            _ => Self::Success,
        }
    }

    /// What the status of a finished gRPC call says, as the HTTP status that would say the same.
    pub const fn of_grpc_status(status: u8) -> Self {
        match status {
            // UNAVAILABLE.
            14 => Self::ServerError(503),
            // UNKNOWN, INTERNAL, DATA_LOSS. Not DEADLINE_EXCEEDED: the client chooses the deadline.
            2 | 13 | 15 => Self::ServerError(500),
            _ => Self::Success,
        }
    }

    /// Whether it counts as a failure in a row, if these answers do.
    pub const fn is_failure(self, codes: ServerErrors) -> bool {
        match self {
            Self::Failure => true,
            Self::ServerError(status) => codes.contains(status),
            Self::Success | Self::Neutral => false,
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
    /// Of the current interval.
    pub(crate) tally: Tally,
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
            self.tally = Tally::default();
        }
        over
    }

    /// Ends the ejection whatever its time; what it has grown to stays.
    pub(crate) fn release(&mut self) {
        self.ejected = false;
        self.failures_in_row = 0;
        self.tally = Tally::default();
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
        if matches!(outcome, AttemptOutcome::Neutral) {
            return false;
        }
        self.tally.count(matches!(outcome, AttemptOutcome::Success));
        if !outcome.is_failure(settings.codes) {
            self.failures_in_row = 0;
            return false;
        }
        self.failures_in_row = self.failures_in_row.saturating_add(1);
        !self.ejected && self.failures_in_row >= settings.consecutive_failures
    }

    /// Ejects, and says for how long.
    pub(crate) fn eject(&mut self, now: Instant, settings: &EjectionSettings) -> Duration {
        let in_service = self.until.map_or(Duration::ZERO, |until| now.duration_since(until));
        let unit = settings.duration.as_nanos().max(1);
        let forgotten = u32::try_from(in_service.as_nanos() / unit).unwrap_or(u32::MAX);
        // Counting on beyond the longest ejection would only delay forgiveness.
        let most = u32::try_from(settings.duration_max.as_nanos() / unit).unwrap_or(u32::MAX);
        self.ejections = self.ejections.saturating_sub(forgotten).min(most).saturating_add(1);
        let length = settings
            .duration
            .saturating_mul(self.ejections)
            .min(settings.duration_max.max(settings.duration));
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
