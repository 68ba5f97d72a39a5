//! Counting and recording, per class and per second. One tally per thread; merged exactly at the end.

use std::collections::BTreeMap;
use std::ops::Range;

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
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct ClassTally {
    pub(crate) sent: u64,
    pub(crate) outcomes: [u64; Outcome::ALL.len()],
    /// Whole answers by status, right or not.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Bytes of their bodies.
    pub(crate) body_bytes: u64,
    /// From the intended time, of right answers.
    #[serde(with = "crate::remote::sparse")]
    pub(crate) latency: Histogram<u64>,
    /// From the actual send time, of right answers.
    #[serde(with = "crate::remote::sparse")]
    pub(crate) service: Histogram<u64>,
}

impl ClassTally {
    fn new() -> Self {
        Self {
            sent: 0,
            outcomes: [0; Outcome::ALL.len()],
            statuses: BTreeMap::new(),
            body_bytes: 0,
            latency: histogram(),
            service: histogram(),
        }
    }
}

/// What happened in one second of the measured part.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Slice {
    pub(crate) second: u64,
    pub(crate) scheduled: u64,
    /// Right answers by class.
    pub(crate) ok: Vec<u64>,
    /// By outcome, right answers too.
    pub(crate) outcomes: [u64; Outcome::ALL.len()],
    #[serde(with = "crate::remote::sparse")]
    pub(crate) latency: Histogram<u64>,
    /// Largest lag of the generator, in nanoseconds.
    pub(crate) lag_ns_max: u64,
    /// At its end: requests in flight, those that wait for a stream, connections that are up.
    pub(crate) in_flight: u64,
    pub(crate) waiting: u64,
    pub(crate) connections: u64,
}

impl Slice {
    pub(crate) fn new(second: u64, classes: usize) -> Self {
        Self {
            second,
            scheduled: 0,
            ok: vec![0; classes],
            outcomes: [0; Outcome::ALL.len()],
            latency: histogram(),
            lag_ns_max: 0,
            in_flight: 0,
            waiting: 0,
            connections: 0,
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.scheduled += other.scheduled;
        self.outcomes.iter_mut().zip(other.outcomes).for_each(|(sum, part)| *sum += part);
        self.ok.iter_mut().zip(&other.ok).for_each(|(sum, part)| *sum += part);
        merge(&mut self.latency, &other.latency);
        self.lag_ns_max = self.lag_ns_max.max(other.lag_ns_max);
        self.in_flight += other.in_flight;
        self.waiting += other.waiting;
        self.connections += other.connections;
    }
}

/// Requests outside the measured part: of warm-up and cool-down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Excluded {
    /// Requests whose time came.
    pub scheduled: u64,
    /// Requests put on a connection.
    pub sent: u64,
    /// Right answers.
    pub ok: u64,
    /// All others.
    pub failed: u64,
}

/// Connections, as counted.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Connections {
    pub(crate) opened: u64,
    pub(crate) lost: u64,
    pub(crate) connects_failed: u64,
    /// Of the failed: because of TLS.
    pub(crate) tls_failed: u64,
    /// Of the failed: no descriptor or no port was left.
    pub(crate) exhausted: u64,
    /// TLS handshakes that ended well, and those of them that resumed a session.
    pub(crate) handshakes: u64,
    pub(crate) resumed: u64,
}

impl Connections {
    const fn merge(&mut self, other: &Self) {
        self.opened += other.opened;
        self.lost += other.lost;
        self.connects_failed += other.connects_failed;
        self.tls_failed += other.tls_failed;
        self.exhausted += other.exhausted;
        self.handshakes += other.handshakes;
        self.resumed += other.resumed;
    }
}

/// A failed request, kept as an example.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Sample {
    pub(crate) at_ns: u64,
    pub(crate) class: usize,
    pub(crate) outcome: Outcome,
    pub(crate) detail: String,
}

/// All that a thread has seen.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Tally {
    /// Intended times that count, in nanoseconds since the start; the rest is warm-up and cool-down.
    #[serde(skip)]
    pub(crate) window: Range<u64>,
    pub(crate) classes: Vec<ClassTally>,
    pub(crate) scheduled: u64,
    pub(crate) late: u64,
    pub(crate) dropped: u64,
    pub(crate) retries: u64,
    pub(crate) excluded: Excluded,
    /// From the intended time to the moment when the generator took the request up.
    #[serde(with = "crate::remote::sparse")]
    pub(crate) lag: Histogram<u64>,
    pub(crate) connections: Connections,
    pub(crate) cpu_ns: u64,
    /// The largest of its parts: a thread that is alone has `cpu_ns`.
    pub(crate) cpu_ns_max: u64,
    pub(crate) samples: Vec<Sample>,
}

/// Failures kept as examples, per thread.
const SAMPLES_MAX: usize = 20;

impl Tally {
    pub(crate) fn new(classes: usize, window: Range<u64>) -> Self {
        Self {
            window,
            classes: (0..classes.max(1)).map(|_| ClassTally::new()).collect(),
            scheduled: 0,
            late: 0,
            dropped: 0,
            retries: 0,
            excluded: Excluded::default(),
            lag: histogram(),
            connections: Connections::default(),
            cpu_ns: 0,
            cpu_ns_max: 0,
            samples: Vec::new(),
        }
    }

    /// A request was taken up at `now_ns`.
    pub(crate) fn on_scheduled(&mut self, intended_ns: u64, now_ns: u64, slice: &mut Slice) {
        if !self.window.contains(&intended_ns) {
            self.excluded.scheduled += 1;
            return;
        }
        self.scheduled += 1;
        slice.scheduled += 1;
        let lag = now_ns.saturating_sub(intended_ns);
        slice.lag_ns_max = slice.lag_ns_max.max(lag);
        record(&mut self.lag, lag);
    }

    /// A request was sent at `now_ns`, not for the first time if `again`.
    pub(crate) fn on_sent(&mut self, class: usize, intended_ns: u64, now_ns: u64, again: bool) {
        if again {
            self.retries += 1;
            return;
        }
        if !self.window.contains(&intended_ns) {
            self.excluded.sent += 1;
            return;
        }
        if let Some(class) = self.classes.get_mut(class) {
            class.sent += 1;
        }
        if now_ns.saturating_sub(intended_ns) > LATE_NS {
            self.late += 1;
        }
    }

    /// A whole answer with this status has come, right or not.
    pub(crate) fn on_answer(&mut self, class: usize, intended_ns: u64, status: u16, bytes: usize) {
        if !self.window.contains(&intended_ns) {
            return;
        }
        if let Some(class) = self.classes.get_mut(class) {
            *class.statuses.entry(status).or_insert(0) += 1;
            class.body_bytes += bytes as u64;
        }
    }

    /// A request that was due at `intended_ns` and sent at `sent_ns` has got its right answer.
    pub(crate) fn on_ok(
        &mut self,
        class: usize,
        intended_ns: u64,
        sent_ns: u64,
        now_ns: u64,
        slice: &mut Slice,
    ) {
        if !self.window.contains(&intended_ns) {
            self.excluded.ok += 1;
            return;
        }
        let latency = now_ns.saturating_sub(intended_ns);
        record(&mut slice.latency, latency);
        slice.outcomes[Outcome::Ok as usize] += 1;
        if let Some(ok) = slice.ok.get_mut(class) {
            *ok += 1;
        }
        if let Some(class) = self.classes.get_mut(class) {
            class.outcomes[Outcome::Ok as usize] += 1;
            record(&mut class.latency, latency);
            record(&mut class.service, now_ns.saturating_sub(sent_ns));
        }
    }

    /// A request that was due at `intended_ns` has failed.
    pub(crate) fn on_failed(
        &mut self,
        class: usize,
        outcome: Outcome,
        intended_ns: u64,
        now_ns: u64,
        detail: impl FnOnce() -> String,
        slice: &mut Slice,
    ) {
        if !self.window.contains(&intended_ns) {
            self.excluded.failed += 1;
            return;
        }
        slice.outcomes[outcome as usize] += 1;
        if let Some(class) = self.classes.get_mut(class) {
            class.outcomes[outcome as usize] += 1;
        }
        if self.samples.len() < SAMPLES_MAX {
            let at_ns = now_ns.saturating_sub(self.window.start);
            self.samples.push(Sample { at_ns, class, outcome, detail: detail() });
        }
    }

    /// Adds what another thread has seen.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.classes.iter_mut().zip(&other.classes) {
            mine.sent += theirs.sent;
            mine.outcomes.iter_mut().zip(theirs.outcomes).for_each(|(sum, part)| *sum += part);
            for (&status, count) in &theirs.statuses {
                *mine.statuses.entry(status).or_insert(0) += count;
            }
            mine.body_bytes += theirs.body_bytes;
            merge(&mut mine.latency, &theirs.latency);
            merge(&mut mine.service, &theirs.service);
        }
        self.scheduled += other.scheduled;
        self.late += other.late;
        self.dropped += other.dropped;
        self.retries += other.retries;
        self.excluded.scheduled += other.excluded.scheduled;
        self.excluded.sent += other.excluded.sent;
        self.excluded.ok += other.excluded.ok;
        self.excluded.failed += other.excluded.failed;
        merge(&mut self.lag, &other.lag);
        self.connections.merge(&other.connections);
        self.cpu_ns += other.cpu_ns;
        self.cpu_ns_max = self.cpu_ns_max.max(other.cpu_ns_max);
        let room = SAMPLES_MAX.saturating_sub(self.samples.len());
        self.samples.extend(other.samples.iter().take(room).cloned());
    }
}
