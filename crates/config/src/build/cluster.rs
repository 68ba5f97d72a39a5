//! Clusters and their endpoints.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::discovery::discovery;
use super::keep_alive::keep_alive;
use super::listener::protocol;
use super::tls::upstream_tls;
use super::{balance, layer4, overload, resilience};
use crate::diagnostic::{Report, Span};
use crate::model::{Cluster, Endpoint, EndpointAddress, KeepAlive};
use crate::value::{Item, TableValue, Value};

pub(super) fn clusters(
    entries: &[(Item, Item)],
    report: &mut Report<'_>,
) -> BTreeMap<String, Cluster> {
    let mut clusters = BTreeMap::new();
    for (key, item) in entries {
        if let Some(table) = item.table() {
            let name = key.text().to_owned();
            clusters.insert(name.clone(), cluster(name, table, report));
        }
    }
    clusters
}

fn cluster(name: String, table: &TableValue, report: &mut Report<'_>) -> Cluster {
    let duration = |key: &str| table.duration(key).unwrap_or(Duration::ZERO);
    let number = |key: &str| table.number(key).unwrap_or_default();
    let endpoints = endpoints(table.list("endpoints"), report);
    let is_unix = |endpoint: &Endpoint| matches!(endpoint.address, EndpointAddress::Unix(_));
    if table.table("tls").is_some_and(|tls| tls.lacks("server_name"))
        && endpoints.iter().any(is_unix)
        && let Some(item) = table.get("tls")
    {
        report
            .error(item.span, "a Unix socket has no name that its certificate could be checked for")
            .remedy("name it in `server_name`");
    }
    Cluster {
        name,
        endpoints,
        protocol: protocol(table.text("protocol").unwrap_or_default()),
        tls: table.table("tls").map(|tls| upstream_tls(tls, report)),
        proxy_protocol: layer4::proxy_protocol_version(table),
        discovery: table.table("discovery").and_then(|table| discovery(table, report)),
        balance: balance::balance(table, report),
        hash_on: balance::hash_on(table, report),
        locality: table.table("locality").map(balance::locality).unwrap_or_default(),
        connect_timeout: duration("connect_timeout"),
        idle_timeout: duration("idle_timeout"),
        http2_connections: number("http2_connections"),
        http2_keep_alive: http2_keep_alive(table, report),
        preconnect: number("preconnect"),
        connections_max: number("connections_max"),
        pending_max: number("pending_max"),
        adaptive_concurrency: table
            .get("adaptive_concurrency")
            .and_then(|item| overload::adaptive_concurrency(item, report)),
        retry_budget_percent: number("retry_budget"),
        ejection: table.table("ejection").map(resilience::ejection),
        health_check: resilience::health_check(table, report),
        panic_threshold_percent: number("panic_threshold"),
        slow_start: table.table("slow_start").map(resilience::slow_start),
        protection: resilience::protection(table),
        dns_refresh: duration("dns_refresh"),
    }
}

fn http2_keep_alive(table: &TableValue, report: &mut Report<'_>) -> Option<KeepAlive> {
    let item = table.get("http2_keep_alive")?;
    if table.text("protocol") == Some("http1") {
        report
            .error(item.span, "connections of HTTP/1.1 have no keep-alive by PING")
            .remedy("set `protocol: http2`, or remove `http2_keep_alive`");
    }
    item.table().map(keep_alive)
}

pub(super) fn endpoints(items: &[Item], report: &mut Report<'_>) -> Vec<Endpoint> {
    let mut seen: HashSet<EndpointAddress> = HashSet::new();
    let mut endpoints = Vec::with_capacity(items.len());
    for item in items {
        let address = item.table().map_or(Some(item), |table| table.get("address"));
        let Some((span, address)) = address.and_then(endpoint_address) else { continue };
        if !seen.insert(address.clone()) {
            report
                .error(span, "this endpoint stands twice in the cluster")
                .remedy("give it a `weight` to send it more");
        }
        let mut endpoint = Endpoint::new(address);
        if let Some(table) = item.table() {
            endpoint.weight = table.number("weight").unwrap_or(1);
            endpoint.zone = table.string("zone");
            endpoint.priority = table.number("priority").unwrap_or_default();
            endpoint.labels = balance::labels(table, "labels");
        }
        endpoints.push(endpoint);
    }
    endpoints
}

fn endpoint_address(item: &Item) -> Option<(Span, EndpointAddress)> {
    match &item.value {
        Value::Endpoint(address) => Some((item.span, address.clone())),
        _ => None,
    }
}
