//! The lab's time: since 1970, but steady. The time of day is taken once; from then on a monotonic
//! clock counts, so that nobody who sets the machine's clock makes faults last longer.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tells the time since 1970, steadily.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    began: Instant,
    began_unix: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { began: Instant::now(), began_unix: unix }
    }

    pub(crate) fn now(self) -> Duration {
        self.began_unix + self.began.elapsed()
    }

    /// The same moment, as injectors want it.
    pub(crate) fn instant(self, at: Duration) -> Instant {
        self.began + at.saturating_sub(self.began_unix)
    }
}
