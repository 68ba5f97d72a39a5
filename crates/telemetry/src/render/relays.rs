//! Metrics of relays: connections that are passed on as bytes.

use super::{Exposition, Kind, View, sum};
use crate::counter::Counter;
use crate::relay::RelayCells;

pub(super) fn relays(out: &mut Exposition, view: &View<'_>) {
    out.family("bulkhead_relays_total", Kind::Counter, "Relays that ended, by how.");
    for (outcome, counter) in [
        ("complete", (|cells| &cells.complete) as fn(&RelayCells) -> &Counter),
        ("failed", |cells| &cells.failed),
    ] {
        each(out, view, Some(outcome), counter);
    }
    out.family("bulkhead_relays_active", Kind::Gauge, "Connections passed on as bytes now.");
    // Those that ended are read first: one that ends meanwhile must not make this negative.
    let ended = view.sum(|shard| &shard.relays_ended);
    let started = view.sum(|shard| &shard.relays_started);
    out.sample(&[], started.saturating_sub(ended));
    out.family(
        "bulkhead_relay_received_bytes_total",
        Kind::Counter,
        "Bytes of relays that ended, from clients.",
    );
    each(out, view, None, |cells| &cells.received_bytes);
    out.family(
        "bulkhead_relay_sent_bytes_total",
        Kind::Counter,
        "Bytes of relays that ended, to clients.",
    );
    each(out, view, None, |cells| &cells.sent_bytes);
}

/// One sample for each pair of route and cluster that any worker has relayed for.
fn each(
    out: &mut Exposition,
    view: &View<'_>,
    outcome: Option<&str>,
    counter: impl Fn(&RelayCells) -> &Counter,
) {
    for (id, name) in view.exchanges.iter().enumerate() {
        let cells = view.shards.iter().filter_map(|(_, shard)| shard.relays.get(id));
        let Some(sum) = sum(cells, |cells| counter(cells).get()) else { continue };
        let mut labels = vec![("route", name.0.as_str()), ("cluster", name.1.as_str())];
        labels.extend(outcome.map(|outcome| ("outcome", outcome)));
        out.sample(&labels, sum);
    }
}
