//! The worker's clock: the only place of the data plane that asks the system what time it is. It is
//! read once per turn of the loop; everything else gets `now` as a value.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Monotonic time.
pub(crate) fn now() -> Instant {
    #[cfg(test)]
    if let Some(simulated) = crate::simulation::now() {
        return simulated;
    }
    Instant::now()
}

/// Time since 1970-01-01T00:00:00Z.
pub(crate) fn unix() -> Duration {
    #[cfg(test)]
    if let Some(simulated) = crate::simulation::unix() {
        return simulated;
    }
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The `date` field (RFC 9110 §6.6.1), made at most once a second.
#[derive(Debug, Default)]
pub(crate) struct DateCache {
    second: u64,
    text: String,
}

impl DateCache {
    pub(crate) fn update(&mut self, unix: Duration) {
        if self.second != unix.as_secs() || self.text.is_empty() {
            self.second = unix.as_secs();
            self.text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(self.second));
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}
