//! Faults in the packets of a link.

use serde::{Deserialize, Serialize};

/// What happens to packets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum NetworkFault {
    /// No packet passes.
    Partition,
}

impl NetworkFault {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Partition => "network.partition",
        }
    }
}
