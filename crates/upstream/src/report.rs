//! What is told of endpoints outside of the workers: of a whole process, by name, for those who check
//! them or want to look at them.

use bulkhead_message::Address;

/// An endpoint of a cluster that is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedEndpoint {
    /// Its cluster.
    pub cluster: String,
    /// Where it is.
    pub address: Address,
    /// The name that it was resolved from, if any.
    pub host: Option<String>,
}

/// How many endpoints of a cluster may get requests, as far as active checks know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterAvailability {
    /// Its name.
    pub cluster: String,
    /// Its endpoints.
    pub endpoints: usize,
    /// Those that active checks call healthy; without checks, all.
    pub healthy: usize,
}

/// The endpoints of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterStatus {
    /// Its name.
    pub cluster: String,
    /// By address.
    pub endpoints: Vec<EndpointStatus>,
}

/// One endpoint, over all workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointStatus {
    /// Where it is.
    pub address: Address,
    /// What active checks say; `None`: they have said nothing.
    pub healthy: Option<bool>,
    /// Workers that have ejected it.
    pub ejected_by: usize,
    /// Attempts in flight.
    pub in_flight: u64,
    /// Connections, in any state.
    pub connections: usize,
}
