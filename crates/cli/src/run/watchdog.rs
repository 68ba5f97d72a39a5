//! The service manager's watchdog: it is kept quiet only while the workers' loops turn.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::notify::Notifier;
use crate::plane::GatewayPlane;

/// A loop that has not turned for so long hangs: it turns once a second when there is nothing to do.
const STALL: Duration = Duration::from_secs(4);

/// What was last seen of the workers' loops.
#[derive(Debug, Default)]
struct Pulse {
    /// By index and generation: the count of beats, and since when it is that.
    seen: HashMap<(usize, u64), (u64, Instant)>,
}

impl Pulse {
    /// Whether all loops turn. `beats`: index, generation and count of each worker that is alive.
    fn look(&mut self, beats: &[(usize, u64, u64)], now: Instant) -> bool {
        let mut seen = HashMap::with_capacity(beats.len());
        for &(index, generation, count) in beats {
            let before = self.seen.get(&(index, generation)).filter(|before| before.0 == count);
            seen.insert((index, generation), *before.unwrap_or(&(count, now)));
        }
        self.seen = seen;
        self.seen.values().all(|(_, since)| now.saturating_duration_since(*since) < STALL)
    }
}

/// Half the time after which the service manager gives up, if it has a watchdog for this process.
/// `usec`: `WATCHDOG_USEC`.
pub(super) fn interval(usec: Option<&str>) -> Option<Duration> {
    let usec = usec?.parse::<u64>().ok().filter(|usec| *usec > 0)?;
    Some(Duration::from_micros(usec / 2).max(Duration::from_millis(1)))
}

/// Tells the service manager at each interval, on a thread of its own, until the gateway is gone.
pub(super) fn start(every: Duration, plane: Weak<GatewayPlane>, notifier: Arc<Notifier>) {
    let watch = move || {
        let mut pulse = Pulse::default();
        while let Some(plane) = plane.upgrade() {
            let alive = plane.gateway.workers().into_iter().filter(|worker| worker.alive);
            let beats: Vec<_> =
                alive.map(|worker| (worker.index, worker.generation, worker.beats)).collect();
            drop(plane);
            if pulse.look(&beats, Instant::now()) {
                notifier.tell("WATCHDOG=1");
            }
            std::thread::sleep(every);
        }
    };
    // Without the thread the service manager restarts us, which is what a watchdog is for.
    let _ = std::thread::Builder::new().name("watchdog".to_owned()).spawn(watch);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_hangs_is_noticed() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pulse = Pulse::default();
        assert!(pulse.look(&[(0, 0, 1), (1, 0, 1)], at(0)));
        assert!(pulse.look(&[(0, 0, 3), (1, 0, 1)], at(3)));
        assert!(!pulse.look(&[(0, 0, 5), (1, 0, 1)], at(5)));
        // It turns again.
        assert!(pulse.look(&[(0, 0, 6), (1, 0, 2)], at(6)));
        // A successor begins anew, and one that is gone is no reason.
        assert!(pulse.look(&[(0, 1, 6)], at(9)));
        assert!(pulse.look(&[], at(100)));
    }

    #[test]
    fn the_interval_is_half_the_time_out() {
        assert_eq!(interval(Some("3000000")), Some(Duration::from_millis(1_500)));
        for none in [None, Some("0"), Some("soon")] {
            assert_eq!(interval(none), None);
        }
    }
}
