//! Metrics of injected faults.

use super::{Exposition, Kind, View, histogram};
use crate::faults::{GROUPS, GroupCells};
use crate::histogram::ExportedSum;

pub(super) fn faults(out: &mut Exposition, view: &View<'_>) {
    let family = "bulkhead_faults_injected_total";
    out.family(family, Kind::Counter, "Faults that were injected on purpose, by kind.");
    for (kind, count) in view.reasons(|shard| &shard.faults.injected) {
        out.sample(&[("kind", kind)], count);
    }
    let of = |at: usize, value: fn(&GroupCells) -> u64| {
        view.shards.iter().map(|(_, shard)| value(&shard.faults.groups[at])).sum::<u64>()
    };
    let used: Vec<usize> =
        (0..GROUPS.len()).filter(|at| of(*at, |cells| cells.requests.get()) > 0).collect();
    out.family(
        "bulkhead_fault_group_requests_total",
        Kind::Counter,
        "Exchanges that a fault befell, and as many that were spared to compare with.",
    );
    for &at in &used {
        out.sample(&[("group", GROUPS[at])], of(at, |cells| cells.requests.get()));
    }
    out.family("bulkhead_fault_group_failures_total", Kind::Counter, "Those of them that failed.");
    for &at in &used {
        out.sample(&[("group", GROUPS[at])], of(at, |cells| cells.failures.get()));
    }
    let family = "bulkhead_fault_group_duration_seconds";
    out.family(family, Kind::Histogram, "How long the exchanges of the two groups took.");
    for &at in &used {
        let mut sum = ExportedSum::default();
        view.shards.iter().for_each(|(_, shard)| shard.faults.groups[at].duration.add_to(&mut sum));
        histogram(out, &[("group", GROUPS[at])], &sum);
    }
}
