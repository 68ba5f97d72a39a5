//! What a gateway tells of the faults that it was given.

use serde::{Deserialize, Serialize};

use crate::{Fault, FaultRule, GatewayFault};

/// How finely durations of groups are told apart: 3 %.
pub const GROUP_BUCKETS_PER_DOUBLING: u32 = 32;

/// What has become of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultState {
    /// In force.
    Active,
    /// It was over at once.
    Done,
    /// Its time is over.
    Expired,
    /// It was taken back, or will never be put in force because it was taken back first.
    Removed,
}

/// One rule, as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultReport {
    /// Its name.
    pub id: String,
    /// What has become of it.
    pub state: FaultState,
    /// What was asked for; `None`: it was taken back before it came.
    pub rule: Option<FaultRule>,
    /// How often it has struck.
    pub hits: u64,
    /// Exchanges for which its conditions held, whether it struck or not.
    pub seen: u64,
    /// Exchanges that it befalls now.
    pub active: u32,
    /// Until it ends by itself, in milliseconds; 0: it has ended.
    pub ttl_left_ms: u64,
    /// All workers have it. A busy one may take a moment.
    pub in_force: bool,
    /// What a fault of the gateway itself has done, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<String>,
    /// The two groups, if it has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<GroupReports>,
}

impl FaultReport {
    /// Whether the fault is really there: what is over at once is done, and anything else in force at all
    /// workers.
    pub fn took_hold(&self) -> bool {
        match self.rule.as_ref().map(|rule| &rule.fault) {
            Some(Fault::Gateway(fault)) if fault.is_momentary() => self.state == FaultState::Done,
            // Its worker has begun to hang, which only itself can say.
            Some(Fault::Gateway(GatewayFault::StallWorker { .. })) => {
                self.state == FaultState::Active && self.hits > 0
            }
            _ => self.state == FaultState::Active && self.in_force,
        }
    }

    /// Whether it is gone: those that it has befallen go through with it, but it is not gone before.
    pub fn is_over(&self) -> bool {
        self.state != FaultState::Active && self.active == 0
    }
}

/// What became of the exchanges of two groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupReports {
    /// Those that the fault befell.
    pub experiment: GroupReport,
    /// As many that it spared.
    pub control: GroupReport,
}

/// What became of the exchanges of one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupReport {
    /// Exchanges that have ended.
    pub requests: u64,
    /// Those of them that failed: without an answer, or with one of 5xx, or its like of gRPC.
    pub failures: u64,
    /// Mean of their durations, in milliseconds.
    pub mean_ms: f64,
    /// Durations: upper boundary in microseconds, and how many are at most that and above the one
    /// before. Empty ones are left out; a boundary is at most one [`GROUP_BUCKETS_PER_DOUBLING`]th
    /// above the one before.
    pub durations_us: Vec<(u64, u64)>,
}

/// What a fault has done, by the count of what carries it out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// How often it has struck.
    pub hits: u64,
    /// For how many its conditions held, whether it struck or not.
    pub seen: u64,
}

impl Effect {
    /// Of both.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { hits: self.hits + other.hits, seen: self.seen + other.seen }
    }

    /// Of the one and not the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        let hits = self.hits.saturating_sub(other.hits);
        Self { hits, seen: self.seen.saturating_sub(other.seen) }
    }
}

/// What became of a wish for a fault.
#[derive(Clone, Debug, PartialEq)]
pub enum Placed {
    /// It is new.
    Created(FaultReport),
    /// It was there, and is the same.
    Unchanged(FaultReport),
}

/// Why a fault was not put in force. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultRefusal {
    /// It makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// There is another one of this name, or one was and has ended.
    #[error("{0}")]
    Conflict(String),
    /// There are as many as there may be.
    #[error("{0}")]
    Full(String),
    /// It cannot be done here, now.
    #[error("{0}")]
    Impossible(String),
}
