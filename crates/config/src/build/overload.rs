//! What is done when not everything can be served.

use bulkhead_message::Priority;

use crate::diagnostic::Report;
use crate::model::{AdaptiveConcurrency, MemoryMax, Overload};
use crate::value::{Item, TableValue, Value};

pub(super) fn overload(table: &TableValue) -> Overload {
    Overload {
        memory_max: match table.get("memory_max").map(|item| &item.value) {
            Some(Value::Integer(bytes)) => MemoryMax::Bytes(*bytes),
            Some(Value::Off) => MemoryMax::Off,
            _ => MemoryMax::Cgroup,
        },
        loop_delay_max: table.duration("loop_delay_max"),
    }
}

pub(super) fn priority(text: Option<&str>) -> Priority {
    match text {
        Some("sheddable") => Priority::Sheddable,
        Some("critical") => Priority::Critical,
        _ => Priority::Default,
    }
}

pub(super) fn adaptive_concurrency(
    item: &Item,
    report: &mut Report<'_>,
) -> Option<AdaptiveConcurrency> {
    let table = item.table()?;
    let number = |key: &str| table.number(key).unwrap_or_default();
    let (initial, min, max) = (number("initial"), number("min"), number("max"));
    if min > max || !(min..=max).contains(&initial) {
        report
            .error(
                item.span,
                format!("`initial` {initial} is not between `min` {min} and `max` {max}"),
            )
            .remedy("the three must be in this order: `min`, `initial`, `max`");
    }
    Some(AdaptiveConcurrency {
        initial,
        min,
        max,
        tolerance_percent: number("tolerance"),
        window: table.duration("window").unwrap_or_default(),
        probe_interval: table.duration("probe_interval").unwrap_or_default(),
    })
}
