//! Seconds put together until they fit on a chart. Counts become rates; of percentiles and of levels
//! the worst second stands, because percentiles cannot be put together.

use bulkhead_load::{Row, Summary};

/// Points that a chart can show.
const SLOTS_MAX: usize = 500;

/// One or more seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Slot {
    /// The first.
    pub(super) second: u64,
    /// How many.
    pub(super) seconds: u64,
    /// Per second.
    pub(super) scheduled: f64,
    pub(super) ok: f64,
    pub(super) failed: f64,
    /// Worst second, each figure for itself.
    pub(super) latency_ms: Summary,
    pub(super) lag_ms: f64,
    pub(super) in_flight: u64,
    pub(super) waiting: u64,
    pub(super) connections: u64,
}

impl Slot {
    /// Its middle, in seconds.
    pub(super) fn middle(&self) -> f64 {
        self.second as f64 + self.seconds as f64 / 2.0
    }

    /// `second 3` or `seconds 1 to 10`, counted from 1.
    pub(super) fn name(&self) -> String {
        match self.seconds {
            0 | 1 => format!("second {}", self.second + 1),
            more => format!("seconds {} to {}", self.second + 1, self.second + more),
        }
    }

    fn of(rows: &[Row], seconds: u64) -> Self {
        let per_second = |sum: u64| sum as f64 / seconds as f64;
        let mut slot = Self { second: rows[0].second, seconds, ..Self::default() };
        let (mut scheduled, mut ok, mut failed) = (0, 0, 0);
        for row in rows {
            scheduled += row.scheduled;
            ok += row.ok;
            failed += row.failed;
            slot.latency_ms = worst(&slot.latency_ms, &row.latency_ms);
            slot.lag_ms = slot.lag_ms.max(row.lag_ms_max);
            slot.in_flight = slot.in_flight.max(row.in_flight);
            slot.waiting = slot.waiting.max(row.waiting);
            slot.connections = slot.connections.max(row.connections);
        }
        slot.scheduled = per_second(scheduled);
        slot.ok = per_second(ok);
        slot.failed = per_second(failed);
        slot
    }
}

/// At most [`SLOTS_MAX`], all of the same length but the last.
pub(super) fn slots(rows: &[Row]) -> Vec<Slot> {
    let seconds = rows.len().div_ceil(SLOTS_MAX).max(1);
    rows.chunks(seconds).map(|chunk| Slot::of(chunk, chunk.len() as u64)).collect()
}

fn worst(a: &Summary, b: &Summary) -> Summary {
    Summary {
        count: a.count + b.count,
        min: a.min.max(b.min),
        mean: a.mean.max(b.mean),
        p50: a.p50.max(b.p50),
        p90: a.p90.max(b.p90),
        p99: a.p99.max(b.p99),
        p999: a.p999.max(b.p999),
        max: a.max.max(b.max),
    }
}
