//! A fault: a log that takes longer to write, as on a slow disk.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Between two looks at whether it is still to wait.
const SLICE: Duration = Duration::from_millis(50);

/// How much longer each batch of lines takes, and how many have.
#[derive(Debug, Default)]
pub struct LogSlowness {
    delay_ms: AtomicU64,
    delayed: AtomicU64,
}

impl LogSlowness {
    /// Each batch takes longer by so many milliseconds more.
    pub fn add(&self, delay_ms: u64) {
        self.delay_ms.fetch_add(delay_ms, Relaxed);
    }

    /// Takes back what [`Self::add`] was told.
    pub fn take_back(&self, delay_ms: u64) {
        self.delay_ms.fetch_sub(delay_ms, Relaxed);
    }

    /// Batches that had to wait since the log began.
    pub fn delayed(&self) -> u64 {
        self.delayed.load(Relaxed)
    }

    /// Waits as long as is said, or until nobody says so any more.
    pub(super) fn dawdle(&self) {
        let mut waited = Duration::ZERO;
        while let Some(left) =
            Duration::from_millis(self.delay_ms.load(Relaxed)).checked_sub(waited)
            && !left.is_zero()
        {
            if waited.is_zero() {
                self.delayed.fetch_add(1, Relaxed);
            }
            let slice = left.min(SLICE);
            std::thread::sleep(slice);
            waited += slice;
        }
    }
}
