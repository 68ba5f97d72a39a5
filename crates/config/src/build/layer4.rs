//! Routes of layer 4 and the listeners that they take connections from.

use std::collections::HashMap;
use std::time::Duration;

use super::{Names, Unique};
use crate::diagnostic::{Report, Span, quote_name};
use crate::model::{
    Config, Filter, Listener, ListenerProtocol, ProxyProtocol, ProxyProtocolVersion, RelayRoute,
    Route,
};
use crate::value::{Item, TableValue};

/// The routes of one kind. What their listeners miss or have twice is checked in [`check`].
pub(super) fn routes(
    items: &[Item],
    kind: ListenerProtocol,
    listeners: &[Listener],
    names: &mut Names,
    report: &mut Report<'_>,
) -> Vec<RelayRoute> {
    let word = if kind == ListenerProtocol::Tcp { "tcp" } else { "tls" };
    let mut unique = Unique::new("route");
    let mut routes = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let Some(table) = item.table() else { continue };
        let name = table.string("name").unwrap_or_else(|| format!("{word}-route-{}", index + 1));
        unique.add(&name, table.get("name").map_or(item.span, |item| item.span), report);
        routes.push(RelayRoute {
            name,
            listeners: listeners_of(item.span, table, kind, listeners, report),
            hostnames: super::route::hostnames(table.list("hostnames"), report),
            backends: super::route::backends(item, table, &[], names, report),
            idle_timeout: table.duration("idle_timeout").unwrap_or(Duration::ZERO),
            connect_attempts: table.number("connect_attempts").unwrap_or(1),
        });
    }
    routes
}

/// Whether a listener may have routes of this kind.
fn takes(listener: &Listener, kind: ListenerProtocol) -> bool {
    let terminates = listener.protocol == ListenerProtocol::Http && listener.tls.is_some();
    listener.protocol == kind || (kind == ListenerProtocol::Tls && terminates)
}

fn listeners_of(
    span: Span,
    table: &TableValue,
    kind: ListenerProtocol,
    listeners: &[Listener],
    report: &mut Report<'_>,
) -> Vec<String> {
    let needed = match kind {
        ListenerProtocol::Tls => "`protocol: tls`, or `protocol: http` and `tls`",
        _ => "`protocol: tcp`",
    };
    if table.get("listeners").is_none() {
        let all = listeners.iter().filter(|listener| listener.protocol == kind);
        let names: Vec<String> = all.map(|listener| listener.name.clone()).collect();
        if names.is_empty() {
            report
                .error(span, "no listener has connections for this route")
                .remedy(format!("add a listener with {needed}, and name it in `listeners`"));
        }
        return names;
    }
    let mut unique = Unique::new("listener");
    for item in table.list("listeners") {
        unique.add(item.text(), item.span, report);
        match listeners.iter().find(|listener| listener.name == item.text()) {
            Some(listener) if takes(listener, kind) => {}
            Some(_) => {
                let message =
                    format!("the listener {} is of another kind", quote_name(item.text()));
                report.error(item.span, message).remedy(format!("it needs {needed}"));
            }
            None if item.text().is_empty() => {}
            None => {
                let message = format!("no listener is called {}", quote_name(item.text()));
                report.error(item.span, message);
            }
        }
    }
    table.strings("listeners")
}

/// Checks what routes, listeners and clusters must have of each other.
pub(super) fn check(config: &Config, file: &TableValue, report: &mut Report<'_>) {
    let items = file
        .list("listeners")
        .iter()
        .filter(|item| item.table().is_some_and(|table| table.address("address").is_some()));
    for (listener, item) in config.listeners.iter().zip(items) {
        check_listener(config, listener, item, report);
    }
    check_hostnames(config, file.list("tls_routes"), report);
    check_proxied(config, file, report);
}

fn check_listener(config: &Config, listener: &Listener, item: &Item, report: &mut Report<'_>) {
    let routes = |routes: &[RelayRoute]| {
        routes.iter().filter(|route| route.listeners.contains(&listener.name)).count()
    };
    let name = quote_name(&listener.name);
    match listener.protocol {
        ListenerProtocol::Http if config.routes.is_empty() => {
            report
                .error(item.span, format!("no route takes what the listener {name} accepts"))
                .remedy("add `routes`, or give it `protocol: tcp` or `protocol: tls`");
        }
        ListenerProtocol::Tcp => match routes(&config.tcp_routes) {
            1 => {}
            0 => {
                report
                    .error(item.span, format!("no route takes what the listener {name} accepts"))
                    .remedy("add it to the `listeners` of one of `tcp_routes`");
            }
            _ => {
                report
                    .error(item.span, format!("several `tcp_routes` take what {name} accepts"))
                    .remedy(
                        "name different `listeners` in them; one route may have several backends",
                    );
            }
        },
        ListenerProtocol::Tls if routes(&config.tls_routes) == 0 => {
            report
                .error(item.span, format!("no route takes what the listener {name} accepts"))
                .remedy("add it to the `listeners` of one of `tls_routes`");
        }
        ListenerProtocol::Http | ListenerProtocol::Tls => {}
    }
    if listener.protocol == ListenerProtocol::Tls
        && let Some(tls) = item.table().and_then(|table| table.get("tls"))
    {
        report
            .error(
                tls.span,
                "a listener with `protocol: tls` passes TLS on: it has no certificates",
            )
            .remedy("remove `tls`, or terminate TLS with `protocol: tcp` or `protocol: http`");
    }
}

/// One listener and name lead to one route.
fn check_hostnames(config: &Config, items: &[Item], report: &mut Report<'_>) {
    let any = [String::new()];
    let mut seen: HashMap<(&str, &str), &str> = HashMap::new();
    let items = items.iter().filter(|item| item.table().is_some());
    for (route, item) in config.tls_routes.iter().zip(items) {
        let hostnames = if route.hostnames.is_empty() { &any[..] } else { &route.hostnames };
        for (listener, hostname) in
            route.listeners.iter().flat_map(|l| hostnames.iter().map(move |h| (l, h)))
        {
            let Some(first) = seen.insert((listener, hostname), &route.name) else { continue };
            if first == route.name {
                continue;
            }
            let what = if hostname.is_empty() { "any name" } else { hostname };
            let message =
                format!("the route {} takes {what} of this listener already", quote_name(first));
            report.error(item.span, message);
        }
    }
}

/// Connections of HTTP routes carry requests of many clients: they have nobody to tell of.
fn check_proxied(config: &Config, file: &TableValue, report: &mut Report<'_>) {
    for (key, item) in file.map("clusters") {
        let proxied = config.clusters.get(key.text()).is_some_and(|c| c.proxy_protocol.is_some());
        let user = config.routes.iter().find(|route| sends_to(route, key.text()));
        if let (true, Some(route)) = (proxied, user) {
            let span = item.table().and_then(|table| table.get("proxy_protocol"));
            report
                .error(
                    span.map_or(item.span, |item| item.span),
                    format!(
                        "the route {} sends requests of many clients on one connection, which can \
                         tell of one client only",
                        quote_name(&route.name)
                    ),
                )
                .remedy("use `x-forwarded-for` there, or give `tcp_routes` a cluster of their own");
        }
    }
}

/// Whether requests of a route, or copies of them, go to a cluster.
fn sends_to(route: &Route, cluster: &str) -> bool {
    route.backends.iter().any(|backend| backend.cluster == cluster)
        || route
            .filters
            .iter()
            .any(|filter| matches!(filter, Filter::Mirror(mirror) if mirror.cluster == cluster))
}

/// What a listener takes its connections for.
pub(super) fn protocol(table: &TableValue) -> ListenerProtocol {
    match table.text("protocol") {
        Some("tcp") => ListenerProtocol::Tcp,
        Some("tls") => ListenerProtocol::Tls,
        _ => ListenerProtocol::Http,
    }
}

/// PROXY protocol of a listener, on a Unix socket or not.
pub(super) fn proxy_protocol(
    table: &TableValue,
    on_unix: bool,
    report: &mut Report<'_>,
) -> Option<ProxyProtocol> {
    let item = table.get("proxy_protocol")?;
    let inner = item.table()?;
    let sources = inner.list("trusted_sources");
    if on_unix && let Some(first) = sources.first() {
        report
            .error(first.span, "clients of a Unix socket have no addresses")
            .remedy("remove `trusted_sources`; `socket_mode` says who may connect");
    }
    if !on_unix && inner.lacks("trusted_sources") {
        report
            .error(item.span, "whoever connects here could claim to be anybody")
            .remedy("name those that you trust in `trusted_sources`: `[10.0.0.0/8]`");
    }
    Some(ProxyProtocol {
        required: inner.text("accept") != Some("optional"),
        trusted_sources: inner.networks("trusted_sources"),
    })
}

/// PROXY protocol towards a cluster.
pub(super) fn proxy_protocol_version(table: &TableValue) -> Option<ProxyProtocolVersion> {
    match table.text("proxy_protocol")? {
        "v1" => Some(ProxyProtocolVersion::V1),
        _ => Some(ProxyProtocolVersion::V2),
    }
}
