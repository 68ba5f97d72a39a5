//! How often files are looked at, by what a look takes: tens of thousands of certificates must not
//! cost a CPU, and those that lie on another machine must not be asked all the time.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::store::{CONFIG_POLL_INTERVAL, Outcome};

/// Looking takes at most this part of a CPU: one in so many. By its CPU time, as on a busy machine a
/// look that costs little takes long.
const CPU_SHARE: u32 = 50;
/// The same until files that have changed have settled: they are waited for.
const SETTLING_CPU_SHARE: u32 = 5;
/// Looking goes on for at most this part of the time: one in so many.
const TIME_SHARE: u32 = 5;

/// What something took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Effort {
    elapsed: Duration,
    /// CPU time of this thread.
    cpu: Duration,
}

/// The beginning of an [`Effort`], on this thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    at: Instant,
    cpu: Duration,
}

impl Effort {
    pub(crate) fn begin() -> Begun {
        Begun { at: Instant::now(), cpu: thread_cpu() }
    }
}

impl Begun {
    /// What was made since, on the same thread.
    pub(crate) fn made(self) -> Effort {
        let cpu = thread_cpu().saturating_sub(self.cpu);
        Effort { elapsed: self.at.elapsed(), cpu }
    }
}

fn thread_cpu() -> Duration {
    // A clock that runs forward from zero.
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

/// How long to wait until the next look.
pub(crate) fn pause_after(outcome: &Outcome, look: Effort) -> Duration {
    let share = match outcome {
        Outcome::Unchanged => CPU_SHARE,
        Outcome::Unsettled => SETTLING_CPU_SHARE,
        // It was no mere look.
        Outcome::Applied(_) | Outcome::Rejected => return CONFIG_POLL_INTERVAL,
    };
    CONFIG_POLL_INTERVAL.max(look.cpu * share).max(look.elapsed * TIME_SHARE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(outcome: Outcome, cpu_ms: u64, elapsed_ms: u64, pause_ms: u64) {
        let (cpu, elapsed) = (Duration::from_millis(cpu_ms), Duration::from_millis(elapsed_ms));
        let pause = pause_after(&outcome, Effort { elapsed, cpu });
        assert_eq!(pause, Duration::from_millis(pause_ms));
    }

    #[test]
    fn looks_are_rarer_the_more_they_take() {
        check(Outcome::Unchanged, 2, 3, 1_000);
        check(Outcome::Unchanged, 40, 50, 2_000);
        check(Outcome::Unchanged, 20, 150, 1_000);
        check(Outcome::Unchanged, 20, 3_000, 15_000);
        check(Outcome::Unsettled, 40, 50, 1_000);
        check(Outcome::Unsettled, 400, 500, 2_500);
        check(Outcome::Rejected, 4_000, 5_000, 1_000);
    }

    #[test]
    fn cpu_time_is_that_of_the_thread() {
        let begun = Effort::begin();
        let mut sum = 0_u64;
        while begun.made().cpu < Duration::from_millis(2) {
            sum = sum.wrapping_add(1);
        }
        assert!(sum > 0);
        let made = begun.made();
        assert!(made.elapsed >= Duration::from_millis(2) && made.cpu <= made.elapsed, "{made:?}");
    }
}
