//! When a process that died is started again.

use std::time::Duration;

/// The wait after the second death in a row; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(30);
/// Whoever has lived so long was well: the next death is the first again.
pub(super) const STABLE: Duration = Duration::from_secs(60);

/// Counts deaths in a row. The first is made good at once, which is what most crashes need; a crash
/// loop does not use the machine up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    deaths: u32,
}

impl Backoff {
    /// A process has died after so long: how long to wait before the next is started.
    pub(super) fn died(&mut self, lived: Duration) -> Duration {
        if lived >= STABLE {
            self.deaths = 0;
        }
        self.deaths += 1;
        match self.deaths.checked_sub(2) {
            None => Duration::ZERO,
            Some(doublings) => WAIT_MAX.min(FIRST_WAIT * 2u32.pow(doublings.min(16))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts within a time, of processes that live so long each.
    fn starts(backoff: &mut Backoff, lived: Duration, within: Duration) -> u32 {
        let (mut now, mut starts) = (Duration::ZERO, 0);
        while now < within {
            starts += 1;
            now += lived;
            now += backoff.died(lived);
        }
        starts
    }

    #[test]
    fn the_first_death_costs_no_wait_and_a_loop_slows_down() {
        let mut backoff = Backoff::default();
        let lived = Duration::from_millis(50);
        let waits: Vec<u128> = (0..12).map(|_| backoff.died(lived).as_millis()).collect();
        assert_eq!(
            waits,
            [0, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]
        );
    }

    #[test]
    fn a_crash_loop_starts_few_processes() {
        let lived = Duration::from_millis(50);
        // 51.1 s of doubling, and then one each 30 s; without the waits it would be 12,000.
        assert_eq!(starts(&mut Backoff::default(), lived, Duration::from_secs(600)), 29);
        // Whoever lives for long is started at once each time.
        assert_eq!(starts(&mut Backoff::default(), STABLE, 10 * STABLE), 10);
    }

    #[test]
    fn a_stable_life_makes_the_next_death_the_first() {
        let mut backoff = Backoff::default();
        starts(&mut backoff, Duration::ZERO, Duration::from_secs(300));
        assert_eq!(backoff.died(Duration::from_secs(1)), WAIT_MAX);
        assert_eq!(backoff.died(STABLE), Duration::ZERO);
        assert_eq!(backoff.died(Duration::from_secs(1)), FIRST_WAIT);
    }
}
