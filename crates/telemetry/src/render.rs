//! Which metrics there are: names, labels and help, and how each is summed over the workers.
//!
//! Names follow OpenTelemetry's semantic conventions in Prometheus' spelling (`http_server_*`,
//! `http_client_*`, `process_*`); what only this gateway has is `bulkhead_*`.

mod breakers;
mod clusters;
mod connections;
mod exchanges;
mod failures;
mod faults;
mod process;
mod relays;

use std::collections::BTreeMap;
use std::iter::Sum;
use std::sync::Arc;

use crate::breaker::BreakerName;
use crate::counter::Counter;
use crate::exposition::{Exposition, Kind, Label};
use crate::histogram::{BOUNDARIES, ExportedSum};
use crate::reasons::Reasons;
use crate::registry::{ExchangeName, Registry};
use crate::series::{ClusterCells, ExchangeCells};
use crate::shard::Shard;

/// Family, help, and where the number is.
type CounterOf<T> = (&'static str, &'static str, fn(&T) -> &Counter);

/// What is rendered, gathered so that no lock is held meanwhile.
struct View<'a> {
    registry: &'a Registry,
    shards: Vec<(usize, Arc<Shard>)>,
    exchanges: Vec<Arc<ExchangeName>>,
    clusters: Vec<Arc<String>>,
    breakers: Vec<Arc<BreakerName>>,
}

pub(crate) fn render(registry: &Registry) -> String {
    let view = View {
        registry,
        shards: registry.shards(),
        exchanges: registry.exchange_names(),
        clusters: registry.cluster_names(),
        breakers: registry.breaker_names(),
    };
    let mut out = Exposition::default();
    exchanges::exchanges(&mut out, &view);
    exchanges::durations(&mut out, &view);
    connections::connections(&mut out, &view);
    connections::tunnels(&mut out, &view);
    relays::relays(&mut out, &view);
    failures::failures(&mut out, &view);
    clusters::attempts(&mut out, &view);
    clusters::clusters(&mut out, &view);
    clusters::endpoints(&mut out, &view);
    breakers::breakers(&mut out, &view);
    failures::overload(&mut out, &view);
    faults::faults(&mut out, &view);
    process::workers(&mut out, &view);
    process::gateway(&mut out, &view);
    registry.certificates().render(&mut out);
    process::process(&mut out);
    out.finish()
}

impl View<'_> {
    fn sum(&self, counter: impl Fn(&Shard) -> &Counter) -> u64 {
        self.shards.iter().map(|(_, shard)| counter(shard).get()).sum()
    }

    fn reasons(&self, reasons: impl Fn(&Shard) -> &Reasons) -> BTreeMap<&'static str, u64> {
        let mut sum = BTreeMap::new();
        for (_, shard) in &self.shards {
            reasons(shard).add_to(&mut sum);
        }
        sum
    }

    /// Cells of series `id` on every worker that has used it.
    fn exchange_cells(&self, id: usize) -> impl Iterator<Item = &ExchangeCells> {
        self.shards.iter().filter_map(move |(_, shard)| shard.exchange_cells(id))
    }

    /// As [`View::exchange_cells`], of a cluster.
    fn cluster_cells(&self, id: usize) -> impl Iterator<Item = &ClusterCells> {
        self.shards.iter().filter_map(move |(_, shard)| shard.cluster_cells(id))
    }
}

/// Sum over the workers that have such cells; `None`: none has.
fn sum<'c, C: 'c, N: Sum<N>>(
    cells: impl Iterator<Item = &'c C>,
    value: impl Fn(&C) -> N,
) -> Option<N> {
    let mut cells = cells.peekable();
    cells.peek()?;
    Some(cells.map(value).sum())
}

/// A counter without labels.
fn single(
    out: &mut Exposition,
    view: &View<'_>,
    family: &'static str,
    help: &str,
    counter: impl Fn(&Shard) -> &Counter,
) {
    out.family(family, Kind::Counter, help);
    out.sample(&[], view.sum(counter));
}

/// A counter for each reason that any worker has met.
fn reasons(
    out: &mut Exposition,
    view: &View<'_>,
    family: &'static str,
    help: &str,
    reasons: impl Fn(&Shard) -> &Reasons,
) {
    out.family(family, Kind::Counter, help);
    for (reason, count) in view.reasons(reasons) {
        out.sample(&[("reason", reason)], count);
    }
}

/// Buckets, sum and count; nothing at all of a histogram that is empty.
fn histogram(out: &mut Exposition, labels: &[Label<'_>], sum: &ExportedSum) {
    if sum.count() == 0 {
        return;
    }
    let mut up_to = 0;
    let mut with_boundary = labels.to_vec();
    with_boundary.push(("le", ""));
    let boundaries = BOUNDARIES.iter().map(|(_, text)| *text).chain(["+Inf"]);
    for (boundary, bucket) in boundaries.zip(sum.buckets) {
        up_to += bucket;
        if let Some(last) = with_boundary.last_mut() {
            last.1 = boundary;
        }
        out.suffixed("_bucket", &with_boundary, up_to);
    }
    out.suffixed("_sum", labels, sum.sum_micros as f64 / 1e6);
    out.suffixed("_count", labels, up_to);
}
