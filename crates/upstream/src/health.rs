//! Active health: what checks of an endpoint add up to.
//!
//! The checks themselves are made elsewhere, once per process; a [`Cluster`](crate::Cluster) is told
//! their verdicts ([`Cluster::set_health`](crate::Cluster::set_health)). The first result decides at
//! once; from then on it takes a row of contrary results to change the verdict.

/// How many results in a row change a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthThresholds {
    /// Passed checks that make an unhealthy endpoint healthy; 0 counts as 1.
    pub healthy: u32,
    /// Failed checks that make a healthy endpoint unhealthy; 0 counts as 1.
    pub unhealthy: u32,
}

/// The checks of one endpoint so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckedHealth {
    healthy: Option<bool>,
    /// Results in a row that contradict `healthy`.
    contrary: u32,
}

impl CheckedHealth {
    /// The verdict; `None` before the first result.
    pub const fn healthy(&self) -> Option<bool> {
        self.healthy
    }

    /// Counts a result; gives the verdict if it is another one now.
    pub fn record(&mut self, passed: bool, thresholds: &HealthThresholds) -> Option<bool> {
        if self.healthy == Some(passed) {
            self.contrary = 0;
            return None;
        }
        self.contrary = self.contrary.saturating_add(1);
        let needed = match self.healthy {
            None => 1,
            Some(true) => thresholds.unhealthy,
            Some(false) => thresholds.healthy,
        };
        if self.contrary < needed {
            return None;
        }
        *self = Self { healthy: Some(passed), contrary: 0 };
        Some(passed)
    }
}

#[cfg(test)]
mod tests;
