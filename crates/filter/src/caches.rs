//! What the filters of one worker remember between requests. Owned by the worker: no lock, and lost
//! with it, so nothing here may be more than a saving of work.

use crate::JwtCache;

/// The caches of one worker.
#[derive(Debug, Default)]
pub struct Caches {
    /// Verified tokens.
    pub jwt: JwtCache,
    /// Text under construction; empty between filters, its memory is kept.
    pub(crate) scratch: Vec<u8>,
}

impl Caches {
    /// Empty caches.
    pub fn new() -> Self {
        Self::default()
    }
}
