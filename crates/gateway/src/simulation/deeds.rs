//! What the gateway's peers and its operator do of themselves during the phase of safety, and when. No fault
//! of the lab stands for it, as each happens every day.

use std::time::Duration;

use bulkhead_upstream::Rng;

/// Something that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// The configuration is applied again, with another number of routes.
    Reload,
    /// A client closes its connection, whatever is on it.
    ClientLeaves,
    /// A client gives up a request.
    ClientGivesUp,
    /// An upstream closes a connection, whatever is on it.
    UpstreamCloses,
}

/// Those after which every request of who stays has to succeed.
pub(super) const HARMLESS: &[Deed] = &[Deed::Reload, Deed::ClientLeaves, Deed::ClientGivesUp];

/// All of them.
pub(super) const ALL: &[Deed] = &[
    Deed::Reload,
    Deed::ClientLeaves,
    Deed::ClientGivesUp,
    Deed::UpstreamCloses,
    Deed::UpstreamCloses,
];

/// The deeds of a run, in order of time.
pub(super) fn draw(kinds: &[Deed], until: Duration, random: &mut Rng) -> Vec<(Duration, Deed)> {
    let mean_ms = 30 + random.below(250);
    let mut deeds = Vec::new();
    let mut at = Duration::ZERO;
    loop {
        at += Duration::from_millis(1 + random.below(2 * mean_ms));
        if at >= until {
            return deeds;
        }
        deeds.push((at, kinds[random.below(kinds.len() as u64) as usize]));
    }
}
