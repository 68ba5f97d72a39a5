//! How far a bench has come, for whoever watches.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines.
const INTERVAL: Duration = Duration::from_secs(2);

/// Tells from time to time how many injections there were.
#[derive(Debug)]
pub(super) struct Progress {
    injections: u64,
    began: Instant,
    told: Mutex<Instant>,
}

impl Progress {
    /// Of so many.
    pub(super) fn of(injections: u64) -> Self {
        let began = Instant::now();
        Self { injections, began, told: Mutex::new(began) }
    }

    /// So many are done by `now`: a line, if it is time for one.
    pub(super) fn line(&self, done: u64, now: Instant) -> Option<String> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(*told) < INTERVAL {
            return None;
        }
        *told = now;
        let seconds = now.saturating_duration_since(self.began).as_secs();
        Some(format!("bench: {done}/{} injections after {seconds} s", self.injections))
    }
}

#[cfg(test)]
mod tests {
    use super::{INTERVAL, Progress};

    #[test]
    fn a_line_comes_every_two_seconds() {
        let progress = Progress::of(1_000);
        let began = progress.began;
        assert_eq!(progress.line(1, began), None);
        let told = progress.line(7, began + INTERVAL).unwrap();
        assert_eq!(told, "bench: 7/1000 injections after 2 s");
        assert_eq!(progress.line(8, began + INTERVAL), None);
        assert!(progress.line(9, began + 3 * INTERVAL).is_some());
    }
}
