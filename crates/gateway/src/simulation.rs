//! **Deterministic simulation**: the production code of the data plane on a simulated clock and a
//! simulated network, in one thread, from one seed.
//!
//! Workers are stepped by hand instead of being given a thread each; [`crate::clock`] tells the time
//! that the simulation says; clients and upstreams are made of the same codecs and are connected by Unix
//! sockets, into which the simulation lets bytes drip: late, and in pieces of any size. Everything that
//! happens is drawn from the seed, so that a failure is found again by its seed and commit.
//!
//! What strikes is an experiment of the chaos lab, carried out by the lab's own runner. A run has two phases.
//! **Safety**: load and faults together; no answer may ever be wrong, no request
//! that must not be repeated may come twice, and where only faults are injected that the gateway
//! promises to survive, none may fail. **Liveness**: the faults end, and everything that is still in
//! flight has to end too, within a bounded simulated time, and leave nothing behind.

mod client;
mod deeds;
mod draft;
mod drip;
mod lab;
mod link;
mod path;
mod pattern;
mod plan;
mod tests;
mod upstream;
mod world;

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use bulkhead_codec::http2;
use bulkhead_upstream::Rng;

use crate::worker::Worker;

/// The simulated time of day at the start, since 1970.
const EPOCH: Duration = Duration::from_secs(1_800_000_000);

thread_local! {
    /// Where this thread's simulated clock stands; `None`: nothing is simulated.
    static CLOCK: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
    /// Workers that were started and have no owner yet.
    static CREW: RefCell<Vec<Worker>> = const { RefCell::new(Vec::new()) };
}

/// The simulated time, if there is one.
pub(crate) fn now() -> Option<Instant> {
    CLOCK.get().map(|(start, passed)| start + passed)
}

/// The simulated time of day, if there is one.
pub(crate) fn unix() -> Option<Duration> {
    CLOCK.get().map(|(_, passed)| EPOCH + passed)
}

/// Whether workers of this thread are stepped by hand.
pub(crate) fn is_on() -> bool {
    CLOCK.get().is_some()
}

/// A worker was started, and has to be stepped from now on.
pub(crate) fn enlist(worker: Worker) {
    CREW.with_borrow_mut(|crew| crew.push(worker));
}

/// HTTP/2 with windows of any size: small ones give flow control something to do, large ones let
/// sockets and buffers fill.
fn settings(random: &mut Rng) -> http2::Settings {
    let (stream_window_bytes, connection_window_bytes) =
        [(10_000, 65_535), (65_535, 1 << 20), (1 << 20, 16 << 20)][random.below(3) as usize];
    http2::Settings { stream_window_bytes, connection_window_bytes, ..http2::Settings::default() }
}

fn recruits() -> Vec<Worker> {
    CREW.take()
}

/// The simulated clock. Dropping it gives the thread its real time back.
#[derive(Debug)]
struct Clock(());

impl Clock {
    fn start() -> Self {
        CLOCK.set(Some((Instant::now(), Duration::ZERO)));
        Self(())
    }

    fn passed(&self) -> Duration {
        CLOCK.get().map_or(Duration::ZERO, |(_, passed)| passed)
    }

    fn advance_to(&self, time: Duration) {
        if let Some((start, passed)) = CLOCK.get() {
            CLOCK.set(Some((start, passed.max(time))));
        }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        CLOCK.set(None);
        CREW.take();
    }
}
