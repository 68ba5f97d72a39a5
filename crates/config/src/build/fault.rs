//! Faults that a route injects.

use super::Names;
use crate::diagnostic::Report;
use crate::model::{FaultAbort, FaultFilter, FaultShare, Filter};
use crate::value::{Item, TableValue};

/// Conditions on headers of one filter.
const HEADERS_MAX: usize = 16;

/// `earlier`: the filters before this one.
pub(super) fn fault(
    item: &Item,
    table: &TableValue,
    earlier: &[Filter],
    names: &mut Names,
    report: &mut Report<'_>,
) -> FaultFilter {
    if earlier.iter().any(|filter| matches!(filter, Filter::Fault(_))) {
        report.error(item.span, "this route injects faults already").remedy("keep one `fault`");
    }
    if let Some(headers) =
        table.get("headers").filter(|_| table.list("headers").len() > HEADERS_MAX)
    {
        report.error(headers.span, "more than 16 headers").remedy("leave some out");
    }
    let cluster = table
        .get("upstream_cluster")
        .and_then(|item| names.clusters.refer(item, "cluster", "clusters", report));
    FaultFilter {
        delay: share(table, "delay", |delay| delay.duration("fixed_delay")),
        abort: share(table, "abort", |abort| {
            let http = abort.number("http_status").map(FaultAbort::Http);
            http.or_else(|| abort.number("grpc_status").map(FaultAbort::Grpc))
        }),
        response_rate_limit: share(table, "response_rate_limit", |limit| {
            limit.number("fixed_limit")
        }),
        upstream_cluster: cluster,
        headers: table.list("headers").iter().filter_map(Item::table).map(header).collect(),
        max_active_faults: table.number("max_active_faults"),
    }
}

fn share<T>(
    table: &TableValue,
    key: &str,
    what: impl FnOnce(&TableValue) -> Option<T>,
) -> Option<FaultShare<Option<T>>> {
    let fault = table.table(key)?;
    Some(FaultShare {
        what: what(fault),
        percentage: fault.decimal("percentage").unwrap_or_default(),
    })
}

fn header(table: &TableValue) -> (String, Option<String>) {
    let mut name = table.string("name").unwrap_or_default();
    name.make_ascii_lowercase();
    (name, table.string("value"))
}
