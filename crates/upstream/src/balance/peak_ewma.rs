//! Power of two choices by expected latency: `peak EWMA × (requests in flight + 1) ÷ weight`.
//!
//! The definition is that of Finagle (`com.twitter.finagle.loadbalancer.PeakEwma`) and Linkerd
//! (`tower::load::PeakEwma`): a latency above the average replaces it at once, one below is mixed in
//! with the weight `1 - e^(-age / EWMA_DECAY)`, and while nothing is heard the average decays
//! towards 0, so that an endpoint that was slow is tried again. A failure counts as a latency of
//! [`FAILURE_LATENCY`] at least: else an endpoint that fails fast would look like the best one.
//!
//! An endpoint that has not answered yet is taken if it is idle, and only once: with a request in
//! flight and nothing known it counts as one that failed.

use std::time::{Duration, Instant};

/// Age at which a latency counts for 1/e.
pub const EWMA_DECAY: Duration = Duration::from_secs(10);
/// Latency that a failure counts as.
pub const FAILURE_LATENCY: Duration = Duration::from_secs(1);

/// The average of one endpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Latency {
    /// The average when it was last touched, in seconds.
    average: f64,
    /// When that was; `None`: nothing was heard yet.
    touched: Option<Instant>,
}

impl Latency {
    pub(crate) fn observe(&mut self, now: Instant, latency: Duration) {
        let latency = latency.as_secs_f64();
        self.average = match self.touched {
            Some(touched) if latency < self.average => {
                let keep = decay(touched, now);
                self.average * keep + latency * (1.0 - keep)
            }
            _ => latency,
        };
        self.touched = Some(now);
    }

    /// What a request is expected to take; not to be compared before it is divided by weight.
    pub(super) fn load(&self, now: Instant, in_flight: u32) -> f64 {
        let requests = f64::from(in_flight) + 1.0;
        match self.touched {
            Some(touched) => self.average * decay(touched, now) * requests,
            None if in_flight == 0 => 0.0,
            None => FAILURE_LATENCY.as_secs_f64() * requests,
        }
    }
}

fn decay(from: Instant, to: Instant) -> f64 {
    let age = to.saturating_duration_since(from);
    (-age.as_secs_f64() / EWMA_DECAY.as_secs_f64()).exp()
}
