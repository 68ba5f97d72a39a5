//! Keys of an issuer that were replaced by others, for a while and on purpose: tokens of the keys that
//! the configuration names are then as those of keys that are no more.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

/// A rotation of keys. Its end is looked at where it is used: [`KeyRotation::look`].
#[derive(Debug)]
pub struct KeyRotation {
    /// Name of the issuer in the configuration; `None`: all.
    provider: Option<String>,
    deadline: Instant,
    ended: AtomicBool,
    hits: AtomicU64,
}

impl KeyRotation {
    /// One that ends at `deadline` at the latest.
    pub const fn new(provider: Option<String>, deadline: Instant) -> Self {
        let (ended, hits) = (AtomicBool::new(false), AtomicU64::new(0));
        Self { provider, deadline, ended, hits }
    }

    /// Ends it if its time is over at `now`.
    pub fn look(&self, now: Instant) {
        if self.deadline <= now {
            self.end();
        }
    }

    /// Ends it: the old keys are back.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Tokens that it has struck.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Whether the keys of this issuer are others now.
    pub(super) fn strikes(&self, provider: &str) -> bool {
        !self.ended.load(Ordering::Relaxed)
            && self.provider.as_deref().is_none_or(|name| name == provider)
    }

    /// A token of the old keys was refused.
    pub(super) fn hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }
}
