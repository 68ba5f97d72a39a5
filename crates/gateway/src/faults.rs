//! Faults that are injected into the gateway on purpose. One relaxed load each when there is none.

use std::sync::atomic::{AtomicU32, Ordering};

/// Pending faults, shared by all workers.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Exchanges that are to panic while they are routed.
    pub(crate) exchange_panics: Pending,
    /// Connections that are to panic while their input is handled.
    pub(crate) connection_panics: Pending,
}

/// How often a fault is still to happen.
#[derive(Debug, Default)]
pub(crate) struct Pending(AtomicU32);

impl Pending {
    pub(crate) fn add(&self, count: u32) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Whether it is to happen now.
    #[inline]
    fn take(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
            && self
                .0
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .is_ok()
    }

    /// Panics if it is to happen now: stands for a bug at this place.
    #[inline]
    #[expect(clippy::panic, reason = "this fault is a panic")]
    pub(crate) fn strike(&self, place: &str) {
        if self.take() {
            panic!("injected: panic in {place}");
        }
    }
}
