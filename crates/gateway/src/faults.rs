//! Faults that are injected into the gateway on purpose. One relaxed load when none is.

use std::sync::atomic::{AtomicU32, Ordering};

/// Pending faults, shared by all workers.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    panics: AtomicU32,
}

impl Faults {
    /// The next `count` exchanges panic while they are routed.
    pub(crate) fn panic_exchanges(&self, count: u32) {
        self.panics.fetch_add(count, Ordering::Relaxed);
    }

    /// Whether this exchange is to panic.
    #[inline]
    pub(crate) fn take_panic(&self) -> bool {
        self.panics.load(Ordering::Relaxed) > 0
            && self
                .panics
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .is_ok()
    }
}
