//! What there is to tell of a run beside its journal: what each fault did and cost, and how the groups of a
//! gateway compare.

use bulkhead_chaos::{Answered, Measured};
use serde::Serialize;
use serde_json::Value;

/// One fault of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultSummary {
    /// Its id in the lab.
    pub id: String,
    /// The activity that asked for it.
    pub activity: String,
    /// As the lab said it last.
    pub state: String,
    /// Family and kind, as the lab says.
    pub kind: Option<String>,
    /// What it struck, as the lab found it: of a process with its start time.
    pub target: Option<Value>,
    /// How often it struck, if that is counted.
    pub hits: Option<u64>,
    /// For how many its conditions held.
    pub seen: Option<u64>,
    /// What it cost, if the experiment has an error budget and it was in force.
    pub error_budget: Option<Spent>,
    /// From its end until all was well again, in seconds; nothing if that was not seen.
    pub recovery_s: Option<f64>,
}

/// The requests from the begin of a fault until all was well again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spent {
    /// All that ended.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// How many of so many may.
    pub allowed: f64,
    /// Share that is spent: over 1 is too much. Infinite, and `null` in JSON, where nothing is allowed.
    pub burnt: f64,
    /// Whether the objective was kept.
    pub answer: Answered,
}

/// The groups of one fault.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Name of the action that injected the fault.
    pub fault: String,
    /// Its id in the lab; nothing if it was never injected.
    pub id: Option<String>,
    /// Requests of the control group.
    pub control_requests: u64,
    /// Requests of the experiment group.
    pub experiment_requests: u64,
    /// What was compared; nothing if the gateway told of no groups.
    pub measures: Vec<Measured>,
    /// All of it together.
    pub answer: Answered,
}
