//! Mirroring.

use super::Names;
use crate::diagnostic::Report;
use crate::model::{Filter, Mirror};
use crate::value::{Item, TableValue};

/// `earlier`: the filters before this one.
pub(super) fn mirror(
    item: &Item,
    table: &TableValue,
    earlier: &[Filter],
    names: &mut Names,
    report: &mut Report<'_>,
) -> Mirror {
    if earlier.iter().any(|filter| matches!(filter, Filter::Mirror(_))) {
        report
            .error(item.span, "this route has a mirror already")
            .remedy("keep one `request_mirror`");
    }
    let cluster = table
        .get("backend")
        .and_then(|item| names.clusters.refer(item, "cluster", "clusters", report));
    let (numerator, denominator) = share(table, report);
    Mirror {
        cluster: cluster.unwrap_or_default(),
        numerator,
        denominator,
        buffer_bytes_max: table.number("buffer_bytes_max").unwrap_or_default(),
        in_flight_max: table.number("in_flight_max").unwrap_or_default(),
    }
}

fn share(table: &TableValue, report: &mut Report<'_>) -> (u32, u32) {
    let percent = table.number::<u32>("percent");
    let Some(item) = table.get("fraction") else { return (percent.unwrap_or(100), 100) };
    if percent.is_some() {
        report
            .error(item.span, "`fraction` cannot stand beside `percent`")
            .remedy("keep one of the two");
    }
    let Some(fraction) = item.table() else { return (0, 1) };
    let numerator = fraction.number("numerator").unwrap_or_default();
    let denominator = fraction.number("denominator").unwrap_or(1);
    if numerator > denominator {
        report
            .error(item.span, "this is more than all requests")
            .remedy("make `numerator` at most `denominator`, which is 100 unless given");
    }
    (numerator, denominator)
}
