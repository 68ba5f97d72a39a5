//! Tunnels of routes.

use std::collections::BTreeMap;

use super::Unique;
use crate::diagnostic::{Report, quote, quote_name};
use crate::model::{Cluster, Protocol, Route, Tunnels, WEBSOCKET};
use crate::value::{Item, TableValue};

pub(super) fn tunnels(table: &TableValue, report: &mut Report<'_>) -> Tunnels {
    let mut unique = Unique::new("upgrade");
    for item in table.list("upgrades").iter().filter(|item| !item.text().is_empty()) {
        unique.add(item.text(), item.span, report);
        if speaks_http(item.text()) {
            let message = format!("an upgrade to {} is never passed on", quote(item.text()));
            report.error(item.span, message).remedy(
                "remove it: requests inside the tunnel would pass every route and filter unseen",
            );
        }
    }
    Tunnels { upgrades: table.strings("upgrades"), connect: table.flag("connect") }
}

/// Whether requests would be made inside such a tunnel, at once or after a handshake.
fn speaks_http(protocol: &str) -> bool {
    let name = protocol.split('/').next().unwrap_or_default();
    matches!(name, "h2c" | "h2" | "http" | "tls")
}

/// Over HTTP/2 an upgrade is an extended CONNECT, which clients and servers know of WebSockets only.
pub(super) fn check_clusters(
    routes: &[Route],
    items: &[Item],
    clusters: &BTreeMap<String, Cluster>,
    report: &mut Report<'_>,
) {
    // A route that is missing in the model was reported; its neighbours' places are then unknown.
    if routes.len() != items.len() {
        return;
    }
    for (route, item) in routes.iter().zip(items) {
        let upgrades = item.table().map(|table| table.list("upgrades")).unwrap_or_default();
        let passes = |text: &str| matches!(text, "" | WEBSOCKET) || speaks_http(text);
        let Some(other) = upgrades.iter().find(|item| !passes(item.text())) else {
            continue;
        };
        let http2 = route.backends.iter().find(|backend| {
            clusters.get(&backend.cluster).is_some_and(|one| one.protocol == Protocol::Http2)
        });
        if let Some(backend) = http2 {
            let message = format!(
                "cluster {} speaks HTTP/2, over which only `{WEBSOCKET}` passes",
                quote_name(&backend.cluster)
            );
            report.error(other.span, message).remedy("send it to a cluster with `protocol: http1`");
        }
    }
}
