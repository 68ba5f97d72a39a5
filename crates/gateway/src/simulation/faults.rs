//! What strikes during the phase of safety, and when.

use std::time::Duration;

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
}

/// Those after which every request of who stays has to succeed.
pub(super) const HARMLESS: &[Fault] = &[
    Fault::KillWorker,
    Fault::KillWorker,
    Fault::Reload,
    Fault::Stall,
    Fault::ClientLeaves,
    Fault::ClientGivesUp,
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
