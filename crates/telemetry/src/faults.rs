//! What injected faults did, and to whom.

use std::time::Duration;

use crate::counter::Counter;
use crate::histogram::{ExportedHistogram, micros};
use crate::reasons::Reasons;
use crate::shard::Shard;

/// Groups of exchanges that are compared, with the names that labels use.
pub(crate) const GROUPS: [&str; 2] = ["experiment", "control"];

/// The faults of one worker.
#[derive(Debug, Default)]
pub(crate) struct FaultCells {
    pub(crate) injected: Reasons,
    pub(crate) groups: [GroupCells; GROUPS.len()],
}

/// The exchanges of one group.
#[derive(Debug, Default)]
pub(crate) struct GroupCells {
    pub(crate) requests: Counter,
    pub(crate) failures: Counter,
    pub(crate) duration: ExportedHistogram,
}

impl Shard {
    /// A fault was injected. `kind` as in [`Shard::protocol_error`].
    pub fn fault_injected(&self, kind: &'static str) {
        self.faults.injected.count(kind);
    }

    /// An exchange of one of two groups that are compared has ended; `experiment`: a fault befell it.
    pub fn fault_group_finished(&self, experiment: bool, duration: Duration, failed: bool) {
        let cells = &self.faults.groups[usize::from(!experiment)];
        cells.requests.increment();
        cells.failures.add(failed.into());
        cells.duration.record(micros(duration));
    }
}
