//! Checked items → the model, and all checks that look at more than one value.

mod acme;
mod balance;
mod cluster;
pub(crate) mod discovery;
mod edge;
mod fault;
mod jwt;
mod keep_alive;
mod layer4;
mod listener;
mod mirror;
mod overload;
mod resilience;
mod retry;
mod route;
mod shadow;
mod tls;
mod tunnel;
mod workers;

use std::collections::{BTreeMap, HashMap};

use crate::diagnostic::{Report, Span, quote_name};
use crate::model::{AccessLog, Admin, Config, Limits, ListenerProtocol};
use crate::nearest::nearest;
use crate::scalar::words;
use crate::value::{Item, TableValue, Value};

/// Builds the configuration. It means something only if `report` has no error afterwards.
pub(crate) fn build(item: &Item, report: &mut Report<'_>) -> Config {
    let Some(file) = item.table() else { return Config::default() };
    let mut names = Names {
        clusters: Declared::new(file.map("clusters")),
        providers: Declared::new(file.map("jwt_providers")),
    };
    let acme = file.table("acme").map(|table| acme::acme(table, report));
    let mut config = Config {
        workers: file.number("workers"),
        worker_affinity: workers::affinity(file, report),
        numa: file.text("numa") == Some("auto"),
        rebalance: file.text("rebalance") == Some("auto"),
        listeners: listener::listeners(file.list("listeners"), acme.as_ref(), report),
        zone: file.string("zone"),
        dns: file.table("dns").map(discovery::dns).unwrap_or_default(),
        limits: file.table("limits").map(limits).unwrap_or_default(),
        forwarding: file
            .table("forwarding")
            .map(|table| edge::forwarding(table, report))
            .unwrap_or_default(),
        request_id: file.table("request_id").map(|table| edge::request_id(table, report)),
        path_normalization: file.table("path_normalization").map(edge::path_normalization),
        access_log: file.get("access_log").and_then(access_log),
        access_log_tls: file.table("access_log").is_some_and(|table| table.flag("tls")),
        overload: file.table("overload").map(overload::overload).unwrap_or_default(),
        ..Config::default()
    };
    if let Some(table) = file.table("admin")
        && let Some(item) = table.get("address")
        && let Some(address) = table.address("address").and_then(|address| address.inet())
    {
        listener::check_admin(item.span, address, &config.listeners, report);
        let required = table.list("readiness_clusters").iter();
        let readiness_clusters = required
            .filter_map(|item| names.clusters.look_up(item, "cluster", "clusters", report))
            .collect();
        config.admin = Some(Admin { address, readiness_clusters });
    }
    if let (Some(acme), Some(item)) = (&acme, file.get("acme")) {
        acme::check_use(acme, item.span, &config.listeners, report);
    }
    config.acme = acme;
    let clusters = cluster::clusters(file.map("clusters"), report);
    let providers = jwt::providers(file.map("jwt_providers"), report);
    config.routes = route::routes(file.list("routes"), &mut names, report);
    edge::check_grpc_web(&config.routes, file.list("routes"), &clusters, report);
    shadow::warn(&config.routes, file.list("routes"), report);
    tunnel::check_clusters(&config.routes, file.list("routes"), &clusters, report);
    let (tcp, tls) = (ListenerProtocol::Tcp, ListenerProtocol::Tls);
    let (tcp_items, tls_items) = (file.list("tcp_routes"), file.list("tls_routes"));
    let listeners = &config.listeners;
    config.tcp_routes = layer4::routes(tcp_items, tcp, listeners, &mut names, report);
    config.tls_routes = layer4::routes(tls_items, tls, listeners, &mut names, report);
    balance::check_clusters(&clusters, file.map("clusters"), report);
    balance::check_routes(&config.routes, &clusters, file.list("routes"), report);
    config.clusters = clusters;
    layer4::check(&config, file, report);
    config.jwt_providers = providers;
    names.clusters.warn_unused("cluster", "route", report);
    names.providers.warn_unused("token issuer", "`jwt` filter", report);
    config
}

/// Names that a wrong one is compared with.
const COMPARED_MAX: usize = 2_000;

/// Names that references may name.
struct Names {
    clusters: Declared,
    providers: Declared,
}

/// The names of one mapping, and which of them were referred to.
struct Declared {
    spans: BTreeMap<String, (Span, bool)>,
}

impl Declared {
    fn new(entries: &[(Item, Item)]) -> Self {
        let spans = entries.iter().map(|(key, _)| (key.text().to_owned(), (key.span, false)));
        Self { spans: spans.collect() }
    }

    /// The name that `item` refers to, which is `what` in `section`; from now on it is used.
    fn refer(
        &mut self,
        item: &Item,
        what: &str,
        section: &str,
        report: &mut Report<'_>,
    ) -> Option<String> {
        let name = self.look_up(item, what, section, report)?;
        if let Some((_, used)) = self.spans.get_mut(&name) {
            *used = true;
        }
        Some(name)
    }

    /// As [`Declared::refer`], but to name it so is not to use it.
    fn look_up(
        &self,
        item: &Item,
        what: &str,
        section: &str,
        report: &mut Report<'_>,
    ) -> Option<String> {
        let Value::Text(name) = &item.value else { return None };
        if self.spans.contains_key(name) {
            return Some(name.clone());
        }
        let found = report.error(item.span, format!("no {what} is called {}", quote_name(name)));
        match nearest(name, self.spans.keys().take(COMPARED_MAX).map(String::as_str)) {
            Some(near) => drop(found.suggest(near)),
            None if self.spans.is_empty() => drop(found.remedy(format!("add it to `{section}`"))),
            None => {
                let all = words(self.spans.keys().take(10).cloned());
                found.expected(format!("name in `{section}`: {all}"));
            }
        }
        None
    }

    fn warn_unused(&self, what: &str, user: &str, report: &mut Report<'_>) {
        for (name, (span, used)) in &self.spans {
            if !used && !name.is_empty() {
                report.warning(*span, format!("no {user} uses the {what} {}", quote_name(name)));
            }
        }
    }
}

/// Reports names that are given twice. `what` is what they name.
struct Unique {
    what: &'static str,
    lines: HashMap<String, usize>,
}

impl Unique {
    fn new(what: &'static str) -> Self {
        Self { what, lines: HashMap::new() }
    }

    fn add(&mut self, name: &str, span: Span, report: &mut Report<'_>) {
        if let Some(line) = self.lines.get(name) {
            let message =
                format!("{} {} stands twice; first in line {line}", self.what, quote_name(name));
            report.error(span, message);
        } else {
            self.lines.insert(name.to_owned(), span.line);
        }
    }
}

fn limits(table: &TableValue) -> Limits {
    let default = Limits::default();
    Limits {
        connections_max: table.number("connections_max").unwrap_or(default.connections_max),
        head_bytes_max: table.number("head_bytes_max").unwrap_or(default.head_bytes_max),
        fields_max: table.number("fields_max").unwrap_or(default.fields_max),
        body_bytes_max: table.number("body_bytes_max"),
        streams_max: table.number("streams_max").unwrap_or(default.streams_max),
        buffer_bytes_max: table.number("buffer_bytes_max").unwrap_or(default.buffer_bytes_max),
        replay_bytes_max: table.number("replay_bytes_max").unwrap_or(default.replay_bytes_max),
        head_timeout: table.duration("head_timeout").unwrap_or(default.head_timeout),
        idle_timeout: table.duration("idle_timeout").unwrap_or(default.idle_timeout),
        http2_keep_alive: table.table("http2_keep_alive").map(keep_alive::keep_alive),
        write_timeout: table.duration("write_timeout").unwrap_or(default.write_timeout),
        connection_requests_max: table.number("connection_requests_max"),
        connection_age_max: table.duration("connection_age_max"),
        connection_age_grace: table.duration("connection_age_grace"),
        body_rate_min: table.number("body_rate_min"),
        body_rate_window: table.duration("body_rate_window").unwrap_or(default.body_rate_window),
        drain_timeout: table.duration("drain_timeout").unwrap_or(default.drain_timeout),
    }
}

fn access_log(item: &Item) -> Option<AccessLog> {
    match item.table() {
        Some(table) => table.text("file").map(|file| AccessLog::File(file.into())),
        None => (item.text() == "stdout").then_some(AccessLog::Stdout),
    }
}
