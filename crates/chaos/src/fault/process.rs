//! Faults in another process.

use serde::{Deserialize, Serialize};

/// What happens to a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum ProcessFault {
    /// It is stopped (`SIGSTOP`): sockets stay open and the kernel still acknowledges. Reverted by
    /// `SIGCONT`.
    Stop,
    /// It is killed (`SIGKILL`). Nothing brings it back but whoever supervises it.
    Kill,
}

impl ProcessFault {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Stop => "process.stop",
            Self::Kill => "process.kill",
        }
    }
}
