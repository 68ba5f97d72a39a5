//! What strikes during the phase of safety, and when.

use std::time::Duration;

use bulkhead_chaos::{LinkFault, NetworkFault};
use bulkhead_upstream::Rng;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A worker dies; its connections go to its siblings.
    KillWorker,
    /// The configuration is applied again, with another number of routes.
    Reload,
    /// An upstream does nothing for a while.
    Stall,
    /// A client closes its connection, whatever is on it.
    ClientLeaves,
    /// A client gives up a request.
    ClientGivesUp,
    /// An upstream closes a connection, whatever is on it.
    UpstreamCloses,
    /// An exchange panics.
    Panic,
    /// The link of a client bears a fault of the network for a while.
    ClientLink,
    /// So do those between the gateway and an upstream.
    UpstreamLink,
}

/// Faults of the network, as orders of the chaos lab declare them. All are such that a stream goes on.
const NETWORK: [&str; 7] = [
    r#"{"loss": {"direction": "both", "per": "direction", "model": {"bernoulli": {"percent": 12}}}}"#,
    r#"{"loss": {"direction": "downstream", "model": {"gilbert_elliott":
        {"to_bad_percent": 5, "to_good_percent": 30}}}}"#,
    r#"{"delay": {"direction": "both", "per": "direction", "base_ms": 40, "jitter_ms": 40,
        "distribution": "uniform", "reorder": "preserve"}}"#,
    r#"{"delay": {"direction": "upstream", "base_ms": 30, "jitter_ms": 20, "distribution": "pareto",
        "reorder": "allow"}}"#,
    r#"{"corrupt": {"direction": "both", "percent": 5}}"#,
    r#"{"bandwidth": {"direction": "both", "bits_per_second": 4000000, "queue_bytes": 60000}}"#,
    r#"{"partition": {"direction": "both"}}"#,
];
/// The longest of them.
const NETWORK_MS_MAX: u64 = 600;

/// A fault of the network, what it does, and how long it lasts.
pub(super) fn draw_network(random: &mut Rng) -> (LinkFault, Duration) {
    let declared = NETWORK[random.below(NETWORK.len() as u64) as usize];
    let fault: NetworkFault = serde_json::from_str(declared).unwrap();
    let lasts = Duration::from_millis(1 + random.below(NETWORK_MS_MAX));
    (fault.check().unwrap(), lasts)
}

/// Those after which every request of who stays has to succeed.
pub(super) const HARMLESS: &[Fault] = &[
    Fault::KillWorker,
    Fault::KillWorker,
    Fault::Reload,
    Fault::Stall,
    Fault::ClientLeaves,
    Fault::ClientGivesUp,
    Fault::ClientLink,
    Fault::UpstreamLink,
];

/// All of them.
pub(super) const ALL: &[Fault] = &[
    Fault::KillWorker,
    Fault::KillWorker,
    Fault::Reload,
    Fault::Stall,
    Fault::ClientLeaves,
    Fault::ClientGivesUp,
    Fault::UpstreamCloses,
    Fault::UpstreamCloses,
    Fault::Panic,
    Fault::ClientLink,
    Fault::UpstreamLink,
];

/// The faults of a run, in order of time.
pub(super) fn draw(kinds: &[Fault], until: Duration, random: &mut Rng) -> Vec<(Duration, Fault)> {
    let mean_ms = 15 + random.below(120);
    let mut faults = Vec::new();
    let mut at = Duration::ZERO;
    loop {
        at += Duration::from_millis(1 + random.below(2 * mean_ms));
        if at >= until {
            return faults;
        }
        faults.push((at, kinds[random.below(kinds.len() as u64) as usize]));
    }
}
