//! When requests are to be sent. Pure: a seed gives the same times on every machine.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How the gaps between requests are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// All the same.
    Constant,
    /// Exponential, as from many independent clients.
    Poisson,
}

/// A stretch of a schedule, in which the rate changes evenly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// How long; [`Duration::MAX`]: for ever.
    pub duration: Duration,
    /// Requests per second at its beginning; at least 0.
    pub from: f64,
    /// Requests per second at its end; at least 0. Equal to `from` if it lasts for ever.
    pub to: f64,
}

impl Phase {
    /// One of constant rate.
    pub const fn constant(rate: f64, duration: Duration) -> Self {
        Self { duration, from: rate, to: rate }
    }

    /// Requests in it: the area under the rate.
    pub fn requests(&self) -> f64 {
        (self.from + self.to) / 2.0 * self.duration.as_secs_f64()
    }

    /// Seconds from its beginning until `count` requests were due. The rate is `from + slope · t`, so
    /// the count is `from · t + slope · t² / 2`, solved for `t` in the form that stays exact for a
    /// slope of 0.
    fn time_of(&self, count: f64) -> f64 {
        let slope = (self.to - self.from) / self.duration.as_secs_f64();
        let root = (self.from * self.from + 2.0 * slope * count).max(0.0).sqrt();
        if count <= 0.0 {
            return 0.0;
        }
        (2.0 * count / (self.from + root)).min(self.duration.as_secs_f64())
    }
}

/// Where the times come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Timing {
    /// Rates, one phase after the other.
    Phases {
        /// In order.
        phases: Vec<Phase>,
        /// Distribution of the gaps.
        process: Process,
    },
    /// Given times in nanoseconds since the start, never decreasing.
    Recorded(Arc<[u64]>),
}

/// An arrival schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// The times.
    pub timing: Timing,
    /// Intended times are moved up to the next multiple of it, so that requests come in small bunches
    /// as they do through a network card. It costs no accuracy: latency counts from the moved time.
    /// Zero: not moved.
    pub tick: Duration,
    /// Everything random is drawn from it.
    pub seed: u64,
}

impl Schedule {
    /// For ever at `rate` requests per second, which is over 0.
    pub fn constant(rate: f64, process: Process, seed: u64) -> Self {
        let phases = vec![Phase::constant(rate.max(f64::MIN_POSITIVE), Duration::MAX)];
        Self { timing: Timing::Phases { phases, process }, tick: Duration::ZERO, seed }
    }

    /// The same with another tick.
    #[must_use]
    pub const fn with_tick(mut self, tick: Duration) -> Self {
        self.tick = tick;
        self
    }

    /// From the start to the end of the last phase, or to the last recorded time. `None`: for ever.
    pub fn duration(&self) -> Option<Duration> {
        match &self.timing {
            Timing::Phases { phases, .. } => phases
                .iter()
                .try_fold(Duration::ZERO, |sum, phase| sum.checked_add(phase.duration))
                .filter(|&sum| sum < Duration::MAX),
            Timing::Recorded(times) => {
                Some(Duration::from_nanos(times.last().map_or(0, |last| last + 1)))
            }
        }
    }

    /// Times of one of `parts` generators that share the schedule, as nanoseconds since the start.
    /// Recorded and constant times go to the parts in turn.
    pub fn times(&self, part: usize, parts: usize) -> Times {
        let parts = parts.max(1);
        let source = match &self.timing {
            Timing::Recorded(times) => Source::Recorded { times: Arc::clone(times), at: part },
            Timing::Phases { phases, process } => Source::Phases {
                phases: phases.clone().into(),
                process: *process,
                count: match process {
                    Process::Constant => part as f64,
                    Process::Poisson => 0.0,
                },
                begun: 0.0,
                counted: 0.0,
            },
        };
        Times {
            source,
            parts,
            tick_ns: self.tick.as_nanos() as u64,
            random: Random::new(self.seed ^ (part as u64).wrapping_mul(0x2545_f491_4f6c_dd1d)),
        }
    }
}

/// The rates, for people.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.timing {
            Timing::Recorded(times) => write!(f, "{} recorded times", times.len()),
            Timing::Phases { phases, .. } => {
                for (place, Phase { from, to, .. }) in phases.iter().enumerate() {
                    f.write_str(if place > 0 { ", " } else { "" })?;
                    write!(f, "{from}")?;
                    if from != to {
                        write!(f, " to {to}")?;
                    }
                }
                f.write_str(" requests/s")
            }
        }
    }
}

/// Iterator over intended times, in nanoseconds since the start; never decreasing.
#[derive(Clone, Debug)]
pub struct Times {
    source: Source,
    parts: usize,
    tick_ns: u64,
    random: Random,
}

#[derive(Clone, Debug)]
enum Source {
    Phases {
        /// Those not yet over.
        phases: VecDeque<Phase>,
        process: Process,
        /// Requests of all parts before the next one of this part.
        count: f64,
        /// Seconds and requests before the first of `phases`.
        begun: f64,
        counted: f64,
    },
    Recorded {
        times: Arc<[u64]>,
        at: usize,
    },
}

impl Iterator for Times {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let at = match &mut self.source {
            Source::Recorded { times, at } => {
                let time = *times.get(*at)?;
                *at += self.parts;
                time
            }
            Source::Phases { phases, process, count, begun, counted } => {
                if *process == Process::Poisson {
                    // 1 - unit is in (0, 1], so the logarithm is finite.
                    *count -= (1.0 - self.random.unit()).ln() * self.parts as f64;
                }
                while *count >= *counted + phases.front()?.requests() {
                    let over = phases.pop_front()?;
                    *begun += over.duration.as_secs_f64();
                    *counted += over.requests();
                }
                let time = *begun + phases.front()?.time_of(*count - *counted);
                if *process == Process::Constant {
                    *count += self.parts as f64;
                }
                // Rounded, so that 3 gaps of 1 ms are 3 ms.
                (time * 1e9).round() as u64
            }
        };
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

    /// A generator for one of many things that share a seed: what is drawn for number 7 does not depend
    /// on who drew for number 6.
    pub const fn numbered(seed: u64, number: u64) -> Self {
        Self(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
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
mod tests;
