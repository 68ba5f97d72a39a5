//! Finding the highest rate at which a target holds an objective. A state machine: it proposes a trial,
//! is told how it went, and proposes the next; it never runs one, and knows no clock.
//!
//! The rate grows by a factor until the objective fails, the bracket is halved until it is as narrow as
//! asked, and the lower end is then confirmed by repeated trials, stepping down when too few hold. A
//! failure outside the confirmation is repeated once before it counts. What the *generator* could not
//! do bounds the search, but is never told as a limit of the target.

mod confidence;
mod curve;
mod finding;
mod trial;

use std::time::Duration;

pub use confidence::Confidence;
pub use curve::{CurvePoint, curve};
pub use finding::{Ended, Finding};
pub use trial::{Observation, Proposal, Purpose, Trial, Verdict};

/// How to search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchOptions {
    /// Requests per second of the first trial.
    pub rate_start: f64,
    /// Lowest rate that is tried, over 0.
    pub rate_min: f64,
    /// Highest rate that is tried.
    pub rate_max: f64,
    /// Factor between two rates while no bound is known, over 1.
    pub growth: f64,
    /// The bracket is narrow enough when its ends differ by this share; over 0.
    pub precision: f64,
    /// Trials that confirm the rate, at least 1.
    pub confirmations: u32,
    /// Of these: how many have to hold.
    pub confirmations_needed: u32,
    /// Length of a trial.
    pub trial: Duration,
    /// Trials at most.
    pub trials_max: u32,
    /// Time of all trials at most, as told by the caller.
    pub time_max: Duration,
}

impl Default for SearchOptions {
    /// From 100 requests per second to 10 million within 5 %, five trials of 5 s of which four have to
    /// hold; at most 60 trials and 15 minutes.
    fn default() -> Self {
        Self {
            rate_start: 100.0,
            rate_min: 1.0,
            rate_max: 10_000_000.0,
            growth: 2.0,
            precision: 0.05,
            confirmations: 5,
            confirmations_needed: 4,
            trial: Duration::from_secs(5),
            trials_max: 60,
            time_max: Duration::from_secs(900),
        }
    }
}

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
    /// A rate is tried, for the second time if `again`.
    Seeking {
        rate: f64,
        again: bool,
    },
    /// The rate is confirmed; `limited`: the last trial said that the generator was the limit.
    Confirming {
        rate: f64,
        held: u32,
        of: u32,
        limited: bool,
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
    pub fn new(mut options: SearchOptions) -> Self {
        options.rate_min = options.rate_min.max(f64::MIN_POSITIVE);
        options.rate_max = options.rate_max.max(options.rate_min);
        options.growth = options.growth.max(1.01);
        options.precision = options.precision.clamp(0.001, 0.5);
        options.confirmations = options.confirmations.max(1);
        options.confirmations_needed = options.confirmations_needed.clamp(1, options.confirmations);
        let rate = options.rate_start.clamp(options.rate_min, options.rate_max);
        Self {
            options,
            state: State::Seeking { rate, again: false },
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
            State::Seeking { rate, again: true } => (rate, Purpose::Repeat),
            State::Seeking { rate, again: false } => match (self.low, self.high) {
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
            State::Seeking { rate, again } => self.on_sought(rate, again, verdict),
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

    fn on_sought(&mut self, rate: f64, again: bool, verdict: Verdict) {
        match verdict {
            Verdict::Held => self.low = Some(rate),
            // One bad trial may be noise.
            _ if !again => {
                self.state = State::Seeking { rate, again: true };
                return;
            }
            verdict => {
                self.high = Some(Bound { rate, generator: verdict == Verdict::GeneratorLimited });
            }
        }
        self.state = self.seek();
    }

    /// Where to look next, by the bracket.
    fn seek(&self) -> State {
        let options = &self.options;
        let at = |rate| State::Seeking { rate, again: false };
        match (self.low, self.high) {
            (Some(low), None) if low >= options.rate_max => confirm(low),
            (Some(low), None) => at((low * options.growth).min(options.rate_max)),
            (None, Some(high)) if high.rate <= options.rate_min => {
                State::Over(if high.generator { Ended::GeneratorLimited } else { Ended::NeverHeld })
            }
            (None, Some(high)) => at((high.rate / options.growth).max(options.rate_min)),
            (Some(low), Some(high)) if high.rate > low * (1.0 + options.precision) => {
                at((low * high.rate).sqrt())
            }
            (Some(_), Some(high)) if high.generator => State::Over(Ended::GeneratorLimited),
            (Some(low), Some(_)) => confirm(low),
            (None, None) => at(options.rate_start),
        }
    }

    fn on_confirmation(
        &mut self,
        rate: f64,
        (held, of): (u32, u32),
        limited: bool,
        verdict: Verdict,
    ) {
        let (held, of) = match verdict {
            Verdict::Held => {
                self.low = Some(rate);
                (held + 1, of + 1)
            }
            Verdict::NotHeld => (held, of + 1),
            Verdict::GeneratorLimited if limited => {
                self.high = Some(Bound { rate, generator: true });
                self.state = State::Over(Ended::GeneratorLimited);
                return;
            }
            // Says nothing about the target: neither held nor failed.
            Verdict::GeneratorLimited => {
                self.state = State::Confirming { rate, held, of, limited: true };
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
            State::Confirming { rate, held, of, limited: false }
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

const fn confirm(rate: f64) -> State {
    State::Confirming { rate, held: 0, of: 0, limited: false }
}

#[cfg(test)]
mod tests;
