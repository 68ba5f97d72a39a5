//! Faults in the gateway's own process.

use serde::{Deserialize, Serialize};

/// What happens to a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum GatewayFault {
    /// A worker ends; its connections go to its siblings. Reverts by itself: it has a successor.
    KillWorker {
        /// Its index.
        worker: usize,
    },
}

impl GatewayFault {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::KillWorker { .. } => "gateway.kill_worker",
        }
    }
}
