//! Counting and recording, per class and per second. One tally per thread; merged exactly at the end.

use hdrhistogram::Histogram;

use crate::Outcome;

/// Longest latency that can be told apart, in microseconds: two minutes. Longer ones count as this.
const LATENCY_US_MAX: u64 = 120_000_000;
/// A request sent later than this after its intended time is counted as late.
const LATE_NS: u64 = 10_000_000;

/// A histogram of microseconds with three significant digits.
pub(crate) fn histogram() -> Histogram<u64> {
    // The bounds are constants that the library accepts; the fallback only widens them.
    Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)
        .or_else(|_| Histogram::new(3))
        .unwrap_or_else(|_| unreachable!("3 significant digits are valid"))
}

/// Adds nanoseconds to a histogram of microseconds, rounded up.
fn record(histogram: &mut Histogram<u64>, ns: u64) {
    histogram.saturating_record(ns.div_ceil(1_000).max(1));
}

/// Adds all of `other`.
pub(crate) fn merge(into: &mut Histogram<u64>, other: &Histogram<u64>) {
    // Bounds are equal, so nothing can be out of range.
    let _same_bounds = into.add(other);
}

/// What one class of requests did.
#[derive(Clone, Debug)]
pub(crate) struct ClassTally {
    pub(crate) sent: u64,
    pub(crate) outcomes: [u64; Outcome::ALL.len()],
    /// From the intended time, of right answers.
    pub(crate) latency: Histogram<u64>,
    /// From the actual send time, of right answers.
    pub(crate) service: Histogram<u64>,
}

impl ClassTally {
    fn new() -> Self {
        Self {
            sent: 0,
            outcomes: [0; Outcome::ALL.len()],
            latency: histogram(),
            service: histogram(),
        }
    }
}

/// What happened in one second of the run.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) second: u64,
    pub(crate) scheduled: u64,
    /// Right answers by class.
    pub(crate) ok: Vec<u64>,
    pub(crate) failed: u64,
    pub(crate) latency: Histogram<u64>,
}

impl Slice {
    pub(crate) fn new(second: u64, classes: usize) -> Self {
        Self { second, scheduled: 0, ok: vec![0; classes], failed: 0, latency: histogram() }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.scheduled += other.scheduled;
        self.failed += other.failed;
        self.ok.iter_mut().zip(&other.ok).for_each(|(sum, part)| *sum += part);
        merge(&mut self.latency, &other.latency);
    }
}

/// A failed request, kept as an example.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) at_ns: u64,
    pub(crate) class: usize,
    pub(crate) outcome: Outcome,
    pub(crate) detail: String,
}

/// All that a thread has seen.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) classes: Vec<ClassTally>,
    pub(crate) scheduled: u64,
    pub(crate) late: u64,
    /// From the intended time to the moment when the generator took the request up.
    pub(crate) lag: Histogram<u64>,
    pub(crate) connections_opened: u64,
    pub(crate) connections_lost: u64,
    pub(crate) connects_failed: u64,
    pub(crate) cpu_ns: u64,
    pub(crate) samples: Vec<Sample>,
}

/// Failures kept as examples, per thread.
const SAMPLES_MAX: usize = 20;

impl Tally {
    pub(crate) fn new(classes: usize) -> Self {
        Self {
            classes: (0..classes.max(1)).map(|_| ClassTally::new()).collect(),
            scheduled: 0,
            late: 0,
            lag: histogram(),
            connections_opened: 0,
            connections_lost: 0,
            connects_failed: 0,
            cpu_ns: 0,
            samples: Vec::new(),
        }
    }

    /// A request was taken up at `now_ns`.
    pub(crate) fn on_scheduled(&mut self, intended_ns: u64, now_ns: u64, slice: &mut Slice) {
        self.scheduled += 1;
        slice.scheduled += 1;
        record(&mut self.lag, now_ns.saturating_sub(intended_ns));
    }

    /// A request was sent at `now_ns`.
    pub(crate) fn on_sent(&mut self, class: usize, intended_ns: u64, now_ns: u64) {
        if let Some(class) = self.class(class) {
            class.sent += 1;
        }
        if now_ns.saturating_sub(intended_ns) > LATE_NS {
            self.late += 1;
        }
    }

    /// A request got its right answer.
    pub(crate) fn on_ok(
        &mut self,
        class: usize,
        latency_ns: u64,
        service_ns: u64,
        slice: &mut Slice,
    ) {
        record(&mut slice.latency, latency_ns);
        if let Some(ok) = slice.ok.get_mut(class) {
            *ok += 1;
        }
        if let Some(class) = self.class(class) {
            class.outcomes[Outcome::Ok as usize] += 1;
            record(&mut class.latency, latency_ns);
            record(&mut class.service, service_ns);
        }
    }

    /// A request failed.
    pub(crate) fn on_failed(
        &mut self,
        class: usize,
        outcome: Outcome,
        at_ns: u64,
        detail: impl FnOnce() -> String,
        slice: &mut Slice,
    ) {
        slice.failed += 1;
        if let Some(class) = self.class(class) {
            class.outcomes[outcome as usize] += 1;
        }
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(Sample { at_ns, class, outcome, detail: detail() });
        }
    }

    fn class(&mut self, class: usize) -> Option<&mut ClassTally> {
        self.classes.get_mut(class)
    }

    /// Adds what another thread has seen.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.classes.iter_mut().zip(&other.classes) {
            mine.sent += theirs.sent;
            mine.outcomes.iter_mut().zip(theirs.outcomes).for_each(|(sum, part)| *sum += part);
            merge(&mut mine.latency, &theirs.latency);
            merge(&mut mine.service, &theirs.service);
        }
        self.scheduled += other.scheduled;
        self.late += other.late;
        merge(&mut self.lag, &other.lag);
        self.connections_opened += other.connections_opened;
        self.connections_lost += other.connections_lost;
        self.connects_failed += other.connects_failed;
        self.cpu_ns += other.cpu_ns;
        let room = SAMPLES_MAX.saturating_sub(self.samples.len());
        self.samples.extend(other.samples.iter().take(room).cloned());
    }
}
