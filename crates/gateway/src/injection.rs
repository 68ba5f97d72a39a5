//! **Injection**: faults that befall exchanges on purpose, or the gateway itself.
//!
//! A rule says what happens to which exchanges ([`bulkhead_chaos::http`]). Rules come from a route's
//! `fault` filter, or at run time from whoever holds the [`crate::Gateway`], with a time after which they
//! end. Both are the same to an exchange. What it draws at each of three points is a number of
//! SplitMix64 from the rule's seed, so that the same seed decides the same for the n-th exchange.
//!
//! The rules of run time are a table that no one changes: each worker is handed the new one. Their end
//! is looked at where they are used, and does not wait for any worker.

mod groups;
mod own;
mod registry;
mod rule;

use std::sync::Arc;
use std::time::Instant;

use bulkhead_filter::KeyRotation;

pub(crate) use groups::Group;
pub(crate) use own::{Expiry, PoolLimit, Stall};
pub(crate) use registry::Injections;
pub(crate) use rule::{Active, Asked, Drawn, HeaderFault, Point, Rule, Strike};

/// Rules in force at a time.
pub(crate) const RULES_MAX: usize = 64;

/// The rules of run time that workers have to do with.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultTable {
    /// Those that befall exchanges.
    pub(crate) rules: Arc<[Arc<Rule>]>,
    pub(crate) pools: Arc<[PoolLimit]>,
    pub(crate) stalls: Arc<[Arc<Stall>]>,
    rotations: Arc<[Arc<KeyRotation>]>,
}

impl FaultTable {
    /// Issuers whose keys were replaced by others. What is over at `now` does nothing any more.
    pub(crate) fn key_rotations(&self, now: Instant) -> &[Arc<KeyRotation>] {
        for rotation in &*self.rotations {
            rotation.look(now);
        }
        &self.rotations
    }
}
