//! Faults in the resources of a host.

use serde::{Deserialize, Serialize};

/// What is made scarce.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum HostFault {
    /// Threads that compute without rest.
    Cpu {
        /// How many, 1 to 1024.
        threads: u16,
    },
}

impl HostFault {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Cpu { .. } => "host.cpu",
        }
    }
}
