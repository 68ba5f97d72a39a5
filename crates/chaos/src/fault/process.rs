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
    /// It is killed (`SIGKILL`) and missing for as long as the fault lives; then it is started again.
    Restart {
        /// Program and arguments; of a program without a slash, the lab's `PATH` is searched. It gets
        /// the lab's environment, directory and user, and no standard input or output.
        command: Vec<String>,
    },
}

impl ProcessFault {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Stop => "process.stop",
            Self::Kill => "process.kill",
            Self::Restart { .. } => "process.restart",
        }
    }
}
