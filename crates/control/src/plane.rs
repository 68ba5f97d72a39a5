//! What the control plane needs of the data plane.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bulkhead_chaos::{FaultRefusal, FaultReport, FaultRule, Placed};
use bulkhead_config::Config;
use bulkhead_config::model::{Discovery, Endpoint};
use bulkhead_message::Address;
pub use bulkhead_upstream::report::{
    CheckedEndpoint, ClusterAvailability, ClusterStatus, EndpointStatus,
};

/// The data plane, seen from here. Methods may block for a while, and are never called by a worker.
pub trait Plane: Send + Sync + 'static {
    /// Why the gateway cannot serve now; empty if it can.
    fn unready(&self) -> Vec<String>;

    /// Its workers, by index.
    fn workers(&self) -> Vec<WorkerStatus>;

    /// The listeners in force.
    fn listeners(&self) -> Vec<ListenerStatus>;

    /// Kills a worker, as a fault: its connections go to its siblings.
    ///
    /// # Errors
    /// Text that says why it was not done.
    fn kill_worker(&self, worker: usize) -> Result<WorkerKilled, String>;

    /// Puts a fault in force, until its time is over or it is taken back. A name is used once.
    ///
    /// # Errors
    /// [`FaultRefusal`]; nothing has changed.
    fn put_fault(&self, id: &str, rule: FaultRule) -> Result<Placed, FaultRefusal>;

    /// All faults in force, and those that have ended, as far as they are known.
    fn faults(&self) -> Vec<FaultReport>;

    /// One of them.
    fn fault(&self, id: &str) -> Option<FaultReport>;

    /// Takes a fault back. It waits for no worker. One that was never there will not come.
    ///
    /// # Errors
    /// The id cannot be one.
    fn remove_fault(&self, id: &str) -> Result<FaultReport, FaultRefusal>;

    /// Takes all faults back. Gives how many there were.
    fn remove_faults(&self) -> usize;

    /// Makes it so many workers, and gives how many there were. Nothing is lost by it.
    ///
    /// # Errors
    /// Text that says why it was not done, or not wholly.
    fn resize_workers(&self, workers: usize) -> Result<usize, String>;

    /// Starts the executable anew in place of this process, and gives the new process's id once that serves, or
    /// `None` if a supervisor was asked to do so.
    ///
    /// # Errors
    /// Text that says why this process goes on.
    fn upgrade(&self) -> Result<Option<u32>, String>;

    /// Puts a whole configuration in force and gives its revision.
    ///
    /// # Errors
    /// Everything that is wrong; the configuration before it stays in force.
    fn apply(&self, config: Config) -> Result<u64, Vec<String>>;

    /// Makes these the addresses of a name, in place of the ones it has, wherever an endpoint has
    /// this name and port. What is not told stays, also under another configuration.
    fn set_addresses(&self, host: &str, port: u16, addresses: Vec<SocketAddr>);

    /// The endpoints in force of clusters that are checked.
    fn checked_endpoints(&self) -> Vec<CheckedEndpoint>;

    /// Makes these the verdicts of active checks on a cluster's endpoints, in place of all before.
    /// They stay in force until others are told, also under another configuration.
    fn set_health(&self, cluster: &str, verdicts: Vec<(Address, bool)>);

    /// The clusters in force, by name, and how many of their endpoints are healthy.
    fn availability(&self) -> Vec<ClusterAvailability>;

    /// The clusters in force, by name, with their endpoints as the workers see them.
    fn endpoints(&self) -> Vec<ClusterStatus>;

    /// Makes these the endpoints that are found at `source`, in place of the ones it has, for all
    /// clusters that look there. What is not told stays, also under another configuration.
    fn set_discovered(&self, source: &Discovery, endpoints: Vec<Endpoint>);

    /// All metrics in the Prometheus text exposition format.
    fn metrics(&self) -> String;

    /// The certificates in force, and what was wrong with their files.
    fn certificates(&self) -> CertificateStatus;

    /// Replaces the answers to the challenges of an ACME server.
    ///
    /// # Errors
    /// Text that says why it was not done.
    fn set_acme_challenges(&self, challenges: AcmeChallenges) -> Result<(), String>;

    /// A configuration was refused before the data plane saw it: counts it.
    fn config_rejected(&self);
}

/// The certificates in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateStatus {
    /// Those that end first: name, and last second of validity since 1970. A few of them.
    pub soonest: Vec<(String, u64)>,
    /// What could not be used.
    pub problems: Vec<CertificateProblem>,
    /// When an OCSP response is to be stapled no more, in seconds since 1970.
    pub staple_ends: Option<u64>,
}

/// A certificate, or its OCSP response, that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateProblem {
    /// Its file.
    pub file: PathBuf,
    /// What is wrong.
    pub reason: String,
    /// The one before is still served.
    pub kept: bool,
}

/// Answers to an ACME server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcmeChallenges {
    /// Tokens with their key authorizations (HTTP-01).
    pub http: Vec<(String, String)>,
    /// Lower-case names, each with a certificate and its key as PEM text (TLS-ALPN-01).
    pub tls: Vec<(String, String, String)>,
}

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerStatus {
    /// As its configuration says.
    pub name: String,
    /// Where it listens, with the actual port.
    pub address: Address,
    /// Whether it shows certificates of its own.
    pub tls: bool,
}

/// One worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Its number, from 0.
    pub index: usize,
    /// How many predecessors it had.
    pub generation: u64,
    /// Whether its loop turns.
    pub alive: bool,
    /// Connections, downstream and upstream.
    pub connections: usize,
    /// Exchanges in flight.
    pub exchanges: usize,
    /// CPU time of its thread.
    pub cpu_time: Duration,
}

/// What became of a killed worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerKilled {
    /// Connections that its siblings took over.
    pub connections_moved: u64,
    /// Exchanges in flight that went with them.
    pub exchanges_moved: u64,
    /// Connections that could not be moved.
    pub connections_lost: u64,
    /// From the kill until all was moved.
    pub duration: Duration,
}

#[cfg(test)]
pub(crate) mod fake;
