//! Faults as they are declared: what is to be broken, and by how much. One file for each family.
//!
//! A declaration says everything that changes its meaning (direction, base delay, distribution, unit);
//! what is ambiguous is refused when it is read, not guessed when it is carried out.

pub mod gateway;
mod host;
pub mod http;
mod kinds;
mod network;
mod process;

pub use gateway::GatewayFault;
pub use host::{Amount, HostFault, HostFaultError};
pub use http::HttpFault;
pub use kinds::{FAULT_KINDS, FaultKind};
pub use network::{
    Bandwidth, Delay, Direction, Distribution, Dns, DnsFailure, Loss, LossModel, NetworkFault,
    NetworkFaultError, Partition, Per, Reorder, ReorderPolicy, Reset, Share,
};
pub use process::ProcessFault;

use serde::{Deserialize, Serialize};

/// A fault, by family. In JSON and YAML the key is the family: `{"gateway": {"kill_worker": {…}}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fault {
    /// In the gateway's own process.
    Gateway(GatewayFault),
    /// In the requests and responses that a gateway passes on.
    Http(HttpFault),
    /// In the packets of a link.
    Network(NetworkFault),
    /// In another process.
    Process(ProcessFault),
    /// In the resources of the host that a process has.
    Host(HostFault),
}

impl Fault {
    /// Family and kind, as they are declared: `gateway.kill_worker`. A bounded set: fit for labels.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Gateway(fault) => fault.kind(),
            Self::Http(fault) => fault.kind(),
            Self::Network(fault) => fault.kind(),
            Self::Process(fault) => fault.kind(),
            Self::Host(fault) => fault.kind(),
        }
    }
}
