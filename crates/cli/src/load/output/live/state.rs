//! What the screen shows, kept from row to row. Bounded: of old seconds only their counts remain.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bulkhead_load::{Latencies, Row, Summary};

/// Seconds that the charts go back.
pub(super) const HISTORY: usize = 120;

/// What is known before the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LivePlan {
    pub(crate) target: String,
    /// Such as `1000 requests/s`.
    pub(crate) pace: String,
    pub(crate) warmup: Duration,
    pub(crate) measured: Duration,
    pub(crate) cooldown: Duration,
}

/// A part of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Warmup,
    Measured,
    Cooldown,
    /// No more requests fall due; the last answers are awaited.
    Draining,
    /// The same, because it was asked for.
    Ending,
}

impl Part {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Warmup => "warm-up",
            Self::Measured => "measured",
            Self::Cooldown => "cool-down",
            Self::Draining => "waiting for the last answers",
            Self::Ending => "ending early",
        }
    }
}

/// The state of the screen.
#[derive(Clone, Debug)]
pub(crate) struct LiveState {
    pub(super) plan: LivePlan,
    pub(super) elapsed: Duration,
    pub(super) ending: bool,
    /// The last seconds.
    pub(super) rows: VecDeque<Row>,
    pub(super) ok: u64,
    pub(super) failed: u64,
    pub(super) failures: BTreeMap<&'static str, u64>,
    pub(super) lag_ms_max: f64,
    all: Latencies,
}

impl LiveState {
    pub(crate) fn new(plan: LivePlan) -> Self {
        Self {
            plan,
            elapsed: Duration::ZERO,
            ending: false,
            rows: VecDeque::new(),
            ok: 0,
            failed: 0,
            failures: BTreeMap::new(),
            lag_ms_max: 0.0,
            all: Latencies::default(),
        }
    }

    pub(crate) fn on_row(&mut self, row: &Row, latencies: &Latencies) {
        self.ok += row.ok;
        self.failed += row.failed;
        for (&kind, count) in &row.failures {
            *self.failures.entry(kind).or_insert(0) += count;
        }
        self.lag_ms_max = self.lag_ms_max.max(row.lag_ms_max);
        // Bounds are equal, so nothing can be out of range.
        let _same_bounds = self.all.0.add(&latencies.0);
        if self.rows.len() == HISTORY {
            self.rows.pop_front();
        }
        self.rows.push_back(row.clone());
    }

    pub(crate) const fn on_tick(&mut self, elapsed: Duration) {
        self.elapsed = elapsed;
    }

    pub(crate) const fn on_end(&mut self) {
        self.ending = true;
    }

    /// Of the last second.
    pub(super) fn latest(&self) -> Summary {
        self.rows.back().map_or_else(Summary::default, |row| row.latency_ms)
    }

    /// Of all seconds, merged.
    pub(super) fn overall(&self) -> Summary {
        Summary::of(&self.all.0)
    }

    /// The part that the run is in, and how long it lasts yet.
    pub(super) fn part(&self) -> (Part, Duration) {
        let LivePlan { warmup, measured, cooldown, .. } = self.plan;
        if self.ending {
            return (Part::Ending, Duration::ZERO);
        }
        let mut end = Duration::ZERO;
        for (part, length) in
            [(Part::Warmup, warmup), (Part::Measured, measured), (Part::Cooldown, cooldown)]
        {
            end = end.saturating_add(length);
            if self.elapsed < end {
                return (part, end.saturating_sub(self.elapsed));
            }
        }
        (Part::Draining, Duration::ZERO)
    }

    /// Of the whole run, 0 to 1.
    pub(super) fn progress(&self) -> f64 {
        let LivePlan { warmup, measured, cooldown, .. } = self.plan;
        let whole = warmup.saturating_add(measured).saturating_add(cooldown).as_secs_f64();
        if whole > 0.0 { (self.elapsed.as_secs_f64() / whole).min(1.0) } else { 1.0 }
    }
}
