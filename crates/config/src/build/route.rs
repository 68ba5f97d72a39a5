//! Routes, their matches, filters and backends.

use super::fault::fault;
use super::mirror::mirror;
use super::retry::{hedge, retry};
use super::{Names, Unique, balance, overload, resilience, tunnel};
use crate::diagnostic::Report;
use crate::model::{
    Backend, Cors, Filter, FixedResponse, HeaderChanges, JwtFilter, PathMatch, PathRewrite,
    Redirect, Rewrite, Route, RouteMatch, RouteTimeouts, StringMatch, ValueMatch,
};
use crate::value::{Item, TableValue};

pub(super) fn routes(items: &[Item], names: &mut Names, report: &mut Report<'_>) -> Vec<Route> {
    let mut unique = Unique::new("route");
    let mut routes = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let Some(table) = item.table() else { continue };
        let name = table.string("name").unwrap_or_else(|| format!("route-{}", index + 1));
        unique.add(&name, table.get("name").map_or(item.span, |item| item.span), report);
        let matches = table.list("matches").iter().filter_map(Item::table);
        let matches: Vec<RouteMatch> = matches.map(route_match).collect();
        let filters = filters(table.list("filters"), &matches, names, report);
        routes.push(Route {
            name,
            hostnames: hostnames(table.list("hostnames"), report),
            backends: backends(item, table, &filters, names, report),
            matches,
            filters,
            tunnels: tunnel::tunnels(table, report),
            hash_on: balance::hash_on(table, report),
            timeouts: table
                .table("timeouts")
                .map_or_else(RouteTimeouts::default, |table| timeouts(table, report)),
            priority: overload::priority(table.text("priority")),
            retry: table.table("retry").map(|table| retry(table, report)),
            hedge: table.table("hedge").map(hedge),
            protection: resilience::protection(table),
        });
    }
    routes
}

pub(super) fn hostnames(items: &[Item], report: &mut Report<'_>) -> Vec<String> {
    let mut unique = Unique::new("hostname");
    for item in items.iter().filter(|item| !item.text().is_empty()) {
        unique.add(item.text(), item.span, report);
    }
    items.iter().map(|item| item.text().to_owned()).collect()
}

fn route_match(table: &TableValue) -> RouteMatch {
    let conditions = |key: &str| {
        let tables = table.list(key).iter().filter_map(Item::table);
        tables.map(|table| condition(table, key == "headers")).collect()
    };
    RouteMatch {
        path: table.get("path").map(path_match).unwrap_or_default(),
        method: table.string("method"),
        headers: conditions("headers"),
        query: conditions("query_params"),
    }
}

fn path_match(item: &Item) -> PathMatch {
    let Some(table) = item.table() else {
        let text = item.text().to_owned();
        return if text.contains(['{', '}']) {
            PathMatch::Template(text)
        } else {
            PathMatch::Prefix(text)
        };
    };
    if let Some(path) = table.string("exact") {
        PathMatch::Exact(path)
    } else if let Some(path) = table.string("prefix") {
        PathMatch::Prefix(path)
    } else if let Some(path) = table.string("template") {
        PathMatch::Template(path)
    } else {
        table.string("regex").map_or_else(PathMatch::default, PathMatch::Regex)
    }
}

fn condition(table: &TableValue, header: bool) -> ValueMatch {
    let mut name = table.string("name").unwrap_or_default();
    if header {
        name.make_ascii_lowercase();
    }
    let value = match (table.string("value"), table.string("regex")) {
        (Some(text), _) => StringMatch::Exact(text),
        (None, Some(pattern)) => StringMatch::Regex(pattern),
        (None, None) => StringMatch::Present,
    };
    ValueMatch { name, value }
}

fn filters(
    items: &[Item],
    matches: &[RouteMatch],
    names: &mut Names,
    report: &mut Report<'_>,
) -> Vec<Filter> {
    let mut filters: Vec<Filter> = Vec::with_capacity(items.len());
    for item in items {
        if filters.last().is_some_and(answers) {
            report.warning(item.span, "this filter never runs: the one before it always answers");
        }
        let Some((kind, inner)) = item.table().and_then(|table| table.entries().first()) else {
            continue;
        };
        let Some(table) = inner.table() else { continue };
        filters.push(match *kind {
            "jwt" => Filter::Jwt(jwt(table, names, report)),
            "request_header_modifier" => Filter::RequestHeaders(header_changes(table)),
            "response_header_modifier" => Filter::ResponseHeaders(header_changes(table)),
            "request_redirect" => Filter::Redirect(Redirect {
                scheme: table.string("scheme"),
                hostname: table.string("hostname"),
                port: table.number("port"),
                path: table.string("path"),
                status: table.number("status_code").unwrap_or_default(),
            }),
            "url_rewrite" => Filter::Rewrite(rewrite(table, matches, report)),
            "request_mirror" => Filter::Mirror(mirror(inner, table, &filters, names, report)),
            "cors" => Filter::Cors(cors(table)),
            "grpc_web" => Filter::GrpcWeb,
            "fault" => Filter::Fault(fault(inner, table, &filters, names, report)),
            _ => Filter::Respond(respond(table, report)),
        });
    }
    filters
}

/// Whether a filter lets no request through.
fn answers(filter: &Filter) -> bool {
    matches!(filter, Filter::Redirect(_) | Filter::Respond(_))
}

fn jwt(table: &TableValue, names: &mut Names, report: &mut Report<'_>) -> JwtFilter {
    let mut unique = Unique::new("provider");
    let mut providers: Vec<String> = Vec::new();
    for item in table.list("providers") {
        let name = names.providers.refer(item, "token issuer", "jwt_providers", report);
        if let Some(name) = name {
            unique.add(&name, item.span, report);
            providers.push(name);
        }
    }
    JwtFilter {
        providers,
        optional: table.flag("optional"),
        claims_to_headers: table.pairs("claims_to_headers").into_iter().collect(),
        forward_token: table.flag("forward_token"),
    }
}

fn header_changes(table: &TableValue) -> HeaderChanges {
    HeaderChanges {
        set: table.pairs("set"),
        add: table.pairs("add"),
        remove: table.strings("remove"),
    }
}

fn cors(table: &TableValue) -> Cors {
    Cors {
        allow_origins: table.strings("allow_origins"),
        allow_methods: table.strings("allow_methods"),
        allow_headers: table.strings("allow_headers"),
        expose_headers: table.strings("expose_headers"),
        allow_credentials: table.flag("allow_credentials"),
        max_age: table.duration("max_age").unwrap_or_default(),
    }
}

fn rewrite(table: &TableValue, matches: &[RouteMatch], report: &mut Report<'_>) -> Rewrite {
    let path = table.table("path").and_then(|path| {
        if let Some(full) = path.string("replace_full_path") {
            return Some(PathRewrite::Full(full));
        }
        let item = path.get("replace_prefix_match")?;
        let prefixes = matches.iter().all(|one| matches!(one.path, PathMatch::Prefix(_)));
        if !prefixes {
            report
                .error(
                    item.span,
                    "a match of this route is not a path prefix that could be replaced",
                )
                .remedy("match by `path: {prefix: …}`, or use `replace_full_path`");
        }
        Some(PathRewrite::Prefix(item.text().to_owned()))
    });
    Rewrite { hostname: table.string("hostname"), path }
}

fn respond(table: &TableValue, report: &mut Report<'_>) -> FixedResponse {
    let status = table.number("status").unwrap_or_default();
    let body = table.string("body").unwrap_or_default();
    if let Some(item) = table.get("body")
        && matches!(status, 204 | 205 | 304)
        && !body.is_empty()
    {
        report.error(item.span, format!("a response with status {status} has no body"));
    }
    for (name, _) in table.map("headers") {
        if matches!(name.text(), "content-length" | "transfer-encoding" | "connection") {
            let message = format!("`{}` is set by the gateway", name.text());
            report.error(name.span, message).remedy("remove it");
        }
    }
    FixedResponse { status, headers: table.pairs("headers"), body }
}

pub(super) fn backends(
    route: &Item,
    table: &TableValue,
    filters: &[Filter],
    names: &mut Names,
    report: &mut Report<'_>,
) -> Vec<Backend> {
    let mut backends = Vec::new();
    for item in table.list("backends") {
        let (cluster, weight, subset) = match item.table() {
            Some(table) => (
                table.get("cluster"),
                table.number("weight").unwrap_or(1),
                balance::subset(table, report),
            ),
            None => (Some(item), 1, None),
        };
        let name =
            cluster.and_then(|item| names.clusters.refer(item, "cluster", "clusters", report));
        if let Some(cluster) = name {
            backends.push(Backend { cluster, weight, subset });
        }
    }
    let given = table.get("backends").filter(|_| !table.list("backends").is_empty());
    let answered = filters.iter().any(answers);
    match given {
        None if !answered && table.lacks("backends") => {
            report.error(route.span, "this route sends requests nowhere").remedy(
                "add `backends`, or a filter that answers: `request_redirect`, `direct_response`",
            );
        }
        Some(item) if answered => {
            report.warning(item.span, "these backends are never used: a filter always answers");
        }
        Some(item) if !backends.is_empty() && backends.iter().all(|one| one.weight == 0) => {
            report.error(item.span, "the weights of the backends are all 0");
        }
        _ => {}
    }
    backends
}

fn timeouts(table: &TableValue, report: &mut Report<'_>) -> RouteTimeouts {
    let timeouts = RouteTimeouts {
        request: table.duration("request"),
        backend_request: table.duration("backend_request"),
        idle: table.duration("idle").unwrap_or_default(),
        tunnel_idle: table.duration("tunnel_idle"),
    };
    if let (Some(whole), Some(attempt), Some(item)) =
        (timeouts.request, timeouts.backend_request, table.get("backend_request"))
        && attempt > whole
    {
        report
            .error(item.span, "one attempt may last longer than the whole exchange")
            .remedy("make `backend_request` shorter than `request`, which is 15s unless given");
    }
    timeouts
}
