//! Finding the highest rate at which a target holds an objective. A state machine: it proposes a trial,
//! is told how it went, and proposes the next; it never runs one, and knows no clock.
//!
//! The rate grows by a factor until the objective fails, the bracket is halved until it is as narrow as
//! asked, and the lower end is then confirmed by repeated trials, stepping down when too few hold. A
//! failure outside the confirmation is repeated once before it counts. What the *generator* could not
//! do is repeated twice, as it is often what else the machine does; then it bounds the search, but is
//! never told as a limit of the target.

mod confidence;
mod curve;
mod finding;
mod options;
mod trial;

use std::time::Duration;

pub use confidence::Confidence;
pub use curve::{CurvePoint, curve};
pub use finding::{Ended, Finding};
pub use options::SearchOptions;
pub use trial::{Observation, Proposal, Purpose, Trial, Verdict};

/// Trials that have to fail at a rate, and none of them hold, before the rate counts as failed.
const FAILURES: u32 = 2;
/// Trials that the generator has to limit at a rate before it counts as the limit there.
const LIMITED: u32 = 3;

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// This trial; its outcome goes to [`Search::record`].
    Try(Proposal),
    /// Nothing: this was found.
    Over(Finding),
}

/// The upper end of the bracket.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bound {
    rate: f64,
    /// Whose limit it is.
    generator: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// A rate is tried; so many trials failed, or were limited by the generator.
    Seeking {
        rate: f64,
        failed: u32,
        limited: u32,
    },
    /// The rate is confirmed; `limited`: so many of the last trials were, by the generator.
    Confirming {
        rate: f64,
        held: u32,
        of: u32,
        limited: u32,
    },
    Over(Ended),
}

/// A search going on.
#[derive(Clone, Debug)]
pub struct Search {
    options: SearchOptions,
    state: State,
    /// Highest rate that held.
    low: Option<f64>,
    /// Lowest rate that did not.
    high: Option<Bound>,
    /// Of the rate that was confirmed, or was being confirmed at the end.
    confidence: Option<(f64, Confidence)>,
    spent: Duration,
    trials: Vec<Trial>,
}

impl Search {
    /// Begins. Options out of range are moved into it.
    pub fn new(options: SearchOptions) -> Self {
        let options = options.in_range();
        Self {
            options,
            state: seek_at(options.rate_start),
            low: None,
            high: None,
            confidence: None,
            spent: Duration::ZERO,
            trials: Vec::new(),
        }
    }

    /// The options in use.
    pub const fn options(&self) -> &SearchOptions {
        &self.options
    }

    /// The trials so far.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// The next trial, or what was found.
    pub fn next(&self) -> Step {
        let (rate, purpose) = match self.state {
            State::Over(ended) => return Step::Over(self.finding(ended)),
            State::Seeking { rate, failed, limited } if failed + limited > 0 => {
                (rate, Purpose::Repeat)
            }
            State::Seeking { rate, .. } => match (self.low, self.high) {
                (Some(_), Some(_)) => (rate, Purpose::Bisect),
                _ => (rate, Purpose::Grow),
            },
            State::Confirming { rate, .. } => (rate, Purpose::Confirm),
        };
        let number = self.trials.len() + 1;
        Step::Try(Proposal { number, purpose, rate, duration: self.options.trial })
    }

    /// How the proposed trial went. After the end: ignored.
    pub fn record(&mut self, observation: Observation) {
        let Step::Try(proposal) = self.next() else { return };
        let verdict = observation.verdict;
        self.spent = self.spent.saturating_add(observation.elapsed);
        self.trials.push(Trial { proposal, observation });
        match self.state {
            State::Seeking { rate, failed, limited } => {
                self.on_sought(rate, failed, limited, verdict);
            }
            State::Confirming { rate, held, of, limited } => {
                self.on_confirmation(rate, (held, of), limited, verdict);
            }
            State::Over(_) => {}
        }
        if matches!(self.state, State::Over(_)) {
            return;
        }
        if self.trials.len() >= self.options.trials_max as usize {
            self.state = State::Over(Ended::OutOfTrials);
        } else if self.spent >= self.options.time_max {
            self.state = State::Over(Ended::OutOfTime);
        }
    }

    /// Ends at once, for instance because the user wants no more.
    pub fn interrupt(&mut self) {
        if !matches!(self.state, State::Over(_)) {
            self.state = State::Over(Ended::Interrupted);
        }
    }

    /// One bad trial may be noise: it is not before several that a rate has failed.
    fn on_sought(&mut self, rate: f64, failed: u32, limited: u32, verdict: Verdict) {
        let (failed, limited) = match verdict {
            Verdict::Held => (0, 0),
            Verdict::NotHeld => (failed + 1, limited),
            Verdict::GeneratorLimited => (failed, limited + 1),
        };
        if verdict == Verdict::Held {
            self.low = Some(rate);
        } else if failed >= FAILURES || limited >= LIMITED {
            self.high = Some(Bound { rate, generator: failed < FAILURES });
        } else {
            self.state = State::Seeking { rate, failed, limited };
            return;
        }
        self.state = self.seek();
    }

    /// Where to look next, by the bracket.
    fn seek(&self) -> State {
        let options = &self.options;
        match (self.low, self.high) {
            (Some(low), None) if low >= options.rate_max => confirm(low),
            (Some(low), None) => seek_at((low * options.growth).min(options.rate_max)),
            (None, Some(high)) if high.rate <= options.rate_min => {
                State::Over(if high.generator { Ended::GeneratorLimited } else { Ended::NeverHeld })
            }
            (None, Some(high)) => seek_at((high.rate / options.growth).max(options.rate_min)),
            (Some(low), Some(high)) if high.rate > low * (1.0 + options.precision) => {
                seek_at((low * high.rate).sqrt())
            }
            (Some(_), Some(high)) if high.generator => State::Over(Ended::GeneratorLimited),
            (Some(low), Some(_)) => confirm(low),
            (None, None) => seek_at(options.rate_start),
        }
    }

    fn on_confirmation(
        &mut self,
        rate: f64,
        (held, of): (u32, u32),
        limited: u32,
        verdict: Verdict,
    ) {
        let (held, of) = match verdict {
            Verdict::Held => {
                self.low = Some(rate);
                (held + 1, of + 1)
            }
            Verdict::NotHeld => (held, of + 1),
            Verdict::GeneratorLimited if limited + 1 >= LIMITED => {
                self.high = Some(Bound { rate, generator: true });
                self.state = State::Over(Ended::GeneratorLimited);
                return;
            }
            // Says nothing about the target: neither held nor failed.
            Verdict::GeneratorLimited => {
                self.state = State::Confirming { rate, held, of, limited: limited + 1 };
                return;
            }
        };
        self.confidence = Some((rate, Confidence::new(held, of)));
        let options = &self.options;
        let left = options.confirmations - of;
        self.state = if held + left < options.confirmations_needed {
            self.step_down(rate)
        } else if left == 0 {
            State::Over(Ended::Confirmed)
        } else {
            State::Confirming { rate, held, of, limited: 0 }
        };
    }

    fn step_down(&mut self, rate: f64) -> State {
        self.high = Some(Bound { rate, generator: false });
        self.low = None;
        if rate <= self.options.rate_min {
            return State::Over(Ended::NeverHeld);
        }
        confirm((rate / (1.0 + self.options.precision)).max(self.options.rate_min))
    }

    fn finding(&self, ended: Ended) -> Finding {
        // Unless it was confirmed, a rate that held in the search has no confidence of its own.
        let rate = match ended {
            Ended::NeverHeld => None,
            _ => self.low,
        };
        let confidence = self
            .confidence
            .filter(|&(confirmed, _)| rate == Some(confirmed))
            .map(|(_, confidence)| confidence);
        let at_generator = self.high.filter(|bound| bound.generator).map(|bound| bound.rate);
        Finding {
            rate,
            ended,
            confidence,
            precision: rate
                .zip(self.high)
                .filter(|(rate, high)| high.rate > *rate)
                .map(|(rate, high)| high.rate / rate - 1.0),
            generator_limit: at_generator,
            trials: self.trials.len(),
            spent: self.spent,
        }
    }
}

const fn seek_at(rate: f64) -> State {
    State::Seeking { rate, failed: 0, limited: 0 }
}

const fn confirm(rate: f64) -> State {
    State::Confirming { rate, held: 0, of: 0, limited: 0 }
}

#[cfg(test)]
mod tests;
