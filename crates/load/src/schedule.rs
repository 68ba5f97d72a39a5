//! When requests are to be sent. Pure: a seed gives the same times on every machine.

use std::time::Duration;

/// How the gaps between requests are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// All the same.
    Constant,
    /// Exponential, as from many independent clients.
    Poisson,
}

/// An arrival schedule of constant mean rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Requests per second; over 0.
    pub rate: f64,
    /// Distribution of the gaps.
    pub process: Process,
    /// Intended times are moved up to the next multiple of it, so that requests come in small bunches
    /// as they do through a network card. It costs no accuracy: latency counts from the moved time.
    /// Zero: not moved.
    pub tick: Duration,
    /// Everything random is drawn from it.
    pub seed: u64,
}

impl Schedule {
    /// Times of one of `parts` generators that share the rate, as nanoseconds since the start.
    pub fn times(&self, part: usize, parts: usize) -> Times {
        let parts = parts.max(1);
        let gap_ns = 1e9 * parts as f64 / self.rate.max(f64::MIN_POSITIVE);
        Times {
            process: self.process,
            gap_ns,
            at_ns: match self.process {
                Process::Constant => gap_ns * part as f64 / parts as f64,
                Process::Poisson => 0.0,
            },
            tick_ns: self.tick.as_nanos() as u64,
            random: Random::new(self.seed ^ (part as u64).wrapping_mul(0x2545_f491_4f6c_dd1d)),
        }
    }
}

/// Endless iterator over intended times, in nanoseconds since the start; never decreasing.
#[derive(Clone, Debug)]
pub struct Times {
    process: Process,
    gap_ns: f64,
    at_ns: f64,
    tick_ns: u64,
    random: Random,
}

impl Iterator for Times {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let at = match self.process {
            Process::Constant => {
                let at = self.at_ns;
                self.at_ns += self.gap_ns;
                at
            }
            Process::Poisson => {
                // 1 - unit is in (0, 1], so the logarithm is finite.
                self.at_ns -= (1.0 - self.random.unit()).ln() * self.gap_ns;
                self.at_ns
            }
        };
        let at = at as u64;
        Some(if self.tick_ns > 1 { at.next_multiple_of(self.tick_ns) } else { at })
    }
}

/// A small seeded generator (SplitMix64). Never for secrets.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator whose sequence is given by `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number in `0..bound`; 0 for a bound of 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next() as u128 * bound as u128) >> 64) as u64
    }

    /// A number in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(process: Process) -> Schedule {
        Schedule { rate: 1_000.0, process, tick: Duration::ZERO, seed: 5 }
    }

    #[test]
    fn constant_gaps_are_constant_and_parts_interleave() {
        let schedule = schedule(Process::Constant);
        let whole: Vec<u64> = schedule.times(0, 1).take(4).collect();
        assert_eq!(whole, [0, 1_000_000, 2_000_000, 3_000_000]);
        let mut both: Vec<u64> =
            (0..2).flat_map(|part| schedule.times(part, 2).take(2).collect::<Vec<_>>()).collect();
        both.sort_unstable();
        assert_eq!(both, whole);
    }

    #[test]
    fn poisson_keeps_the_rate_and_its_gaps_vary_as_they_should() {
        let times: Vec<u64> = schedule(Process::Poisson).times(0, 1).take(50_000).collect();
        let mean = *times.last().unwrap() as f64 / times.len() as f64;
        assert!((mean / 1e6 - 1.0).abs() < 0.02, "{mean}");
        let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.05, "exponential: deviation = mean");
        assert!(times.is_sorted());
    }

    #[test]
    fn a_seed_gives_the_same_times_and_parts_differ() {
        let schedule = schedule(Process::Poisson);
        let take = |part| schedule.times(part, 2).take(100).collect::<Vec<_>>();
        assert_eq!(take(0), take(0));
        assert_ne!(take(0), take(1));
    }

    #[test]
    fn ticks_move_times_up_and_never_down() {
        let exact = schedule(Process::Poisson);
        let ticked = Schedule { tick: Duration::from_micros(500), ..exact.clone() };
        for (exact, ticked) in exact.times(0, 1).zip(ticked.times(0, 1)).take(1_000) {
            assert!(ticked % 500_000 == 0 && ticked >= exact && ticked - exact < 500_000);
        }
    }
}
