//! Metrics of what failed, by why, and of what was turned away in time.

use super::{Exposition, Kind, View, reasons, single};
use crate::shard::SIDES;

pub(super) fn failures(out: &mut Exposition, view: &View<'_>) {
    out.family(
        "bulkhead_failures_total",
        Kind::Counter,
        "Exchanges and relays that failed, by kind and side.",
    );
    for (index, side) in SIDES.into_iter().enumerate() {
        for (kind, count) in view.reasons(|shard| &shard.failures[index]) {
            out.sample(&[("kind", kind), ("side", side)], count);
        }
    }
    reasons(
        out,
        view,
        "bulkhead_protocol_errors_total",
        "Peers that broke their protocol.",
        |shard| &shard.protocol_errors,
    );
    out.family(
        "bulkhead_stream_errors_total",
        Kind::Counter,
        "HTTP/2 streams that ended with an error or were refused while their connection went on.",
    );
    for (index, side) in SIDES.into_iter().take(2).enumerate() {
        for (reason, count) in view.reasons(|shard| &shard.stream_errors[index]) {
            out.sample(&[("reason", reason), ("side", side)], count);
        }
    }
    reasons(
        out,
        view,
        "bulkhead_connection_timeouts_total",
        "Connections closed because they were waited for too long, by what for.",
        |shard| &shard.timeouts,
    );
    reasons(
        out,
        view,
        "bulkhead_connections_retired_total",
        "Client connections told to end in good order, by why.",
        |shard| &shard.retired,
    );
    reasons(out, view, "bulkhead_floods_total", "Connections closed for flooding.", |shard| {
        &shard.floods
    });
}

pub(super) fn overload(out: &mut Exposition, view: &View<'_>) {
    reasons(
        out,
        view,
        "bulkhead_requests_shed_total",
        "Requests answered at once because not all can be served, by what was short.",
        |shard| &shard.shed,
    );
    single(
        out,
        view,
        "bulkhead_accept_pauses_total",
        "Times that connections were left in a listener's queue for want of memory.",
        |shard| &shard.accept_pauses,
    );
    let help = "Step of the pressure on a worker: 0 none, 1 sheds sheddable, 2 default, 3 all.";
    out.family("bulkhead_worker_pressure", Kind::Gauge, help);
    for (worker, shard) in &view.shards {
        out.sample(&[("worker", &worker.to_string())], shard.pressure.get());
    }
}
