//! Metrics of the connections of clients, and of what became a tunnel.

use super::{Exposition, Kind, View, reasons, single};
use crate::series::VERSIONS;

pub(super) fn connections(out: &mut Exposition, view: &View<'_>) {
    let mut opened = Vec::new();
    for (version, name) in VERSIONS.iter().enumerate() {
        for (tls, tls_name) in ["false", "true"].into_iter().enumerate() {
            let closed = view.sum(|shard| &shard.connections[version][tls].closed);
            let total = view.sum(|shard| &shard.connections[version][tls].opened);
            opened.push((name.as_str(), tls_name, total, total.saturating_sub(closed)));
        }
    }
    out.family("bulkhead_connections_total", Kind::Counter, "Downstream connections opened.");
    for (version, tls, total, _) in &opened {
        out.sample(&[("network_protocol_version", version), ("tls", tls)], total);
    }
    out.family("http_server_open_connections", Kind::Gauge, "Downstream connections open now.");
    for (version, tls, _, open) in &opened {
        out.sample(&[("network_protocol_version", version), ("tls", tls)], open);
    }
    single(out, view, "bulkhead_accepted_total", "Connections accepted.", |shard| &shard.accepted);
    single(out, view, "bulkhead_accept_errors_total", "Failed accepts.", |shard| {
        &shard.accept_errors
    });
    single(
        out,
        view,
        "bulkhead_connections_refused_total",
        "Turned away at connections_max.",
        |shard| &shard.refused,
    );
    reasons(
        out,
        view,
        "bulkhead_tls_handshakes_failed_total",
        "TLS handshakes with clients that failed, by reason.",
        |shard| &shard.handshakes_failed,
    );
    single(out, view, "bulkhead_received_bytes_total", "Bytes read from clients.", |shard| {
        &shard.received_bytes
    });
    single(out, view, "bulkhead_sent_bytes_total", "Bytes written to clients.", |shard| {
        &shard.sent_bytes
    });
}

pub(super) fn tunnels(out: &mut Exposition, view: &View<'_>) {
    // Closed ones are read first: a tunnel that ends meanwhile must not make this negative.
    let closed = view.reasons(|shard| &shard.tunnels_closed);
    let opened = view.reasons(|shard| &shard.tunnels_opened);
    let help = "Exchanges that became a tunnel, by protocol.";
    out.family("bulkhead_tunnels_total", Kind::Counter, help);
    for (protocol, count) in &opened {
        out.sample(&[("protocol", protocol)], count);
    }
    out.family("bulkhead_tunnels_active", Kind::Gauge, "Tunnels in use, by protocol.");
    for (protocol, count) in &opened {
        let closed = closed.get(protocol).copied().unwrap_or_default();
        out.sample(&[("protocol", protocol)], count.saturating_sub(closed));
    }
}
