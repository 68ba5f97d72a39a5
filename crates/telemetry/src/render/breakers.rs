//! Metrics of circuit breakers.

use super::{Exposition, Kind, View, sum};
use crate::breaker::BreakerCells;
use crate::counter::Counter;

/// Circuit breakers that any worker has.
pub(super) fn breakers(out: &mut Exposition, view: &View<'_>) {
    let open = "Workers whose circuit breaker is open or half-open.";
    out.family("bulkhead_circuit_breaker_open_workers", Kind::Gauge, open);
    each_breaker(out, view, None, |cells| &cells.open);
    let opened = "How often circuit breakers opened.";
    out.family("bulkhead_circuit_breaker_opened_total", Kind::Counter, opened);
    each_breaker(out, view, None, |cells| &cells.opened);
    let rejections = "Requests turned away: the breaker is open, or requests_max are in flight.";
    out.family("bulkhead_circuit_breaker_rejections_total", Kind::Counter, rejections);
    each_breaker(out, view, Some("open"), |cells| &cells.rejected);
    each_breaker(out, view, Some("requests_max"), |cells| &cells.full);
}

fn each_breaker(
    out: &mut Exposition,
    view: &View<'_>,
    reason: Option<&str>,
    counter: fn(&BreakerCells) -> &Counter,
) {
    for (id, name) in view.breakers.iter().enumerate() {
        let cells = view.shards.iter().filter_map(|(_, shard)| shard.breaker_cells(id));
        if let Some(sum) = sum(cells, |cells| counter(cells).get()) {
            let mut labels = vec![("scope", name.0), ("name", name.1.as_str())];
            labels.extend(reason.map(|reason| ("reason", reason)));
            out.sample(&labels, sum);
        }
    }
}
