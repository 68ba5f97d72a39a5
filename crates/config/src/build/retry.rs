//! Retries and hedging.

use bulkhead_message::RetryCondition;

use crate::diagnostic::Report;
use crate::model::{Hedge, RetryMethods, RetryPolicy};
use crate::value::{Item, TableValue};

pub(super) fn retry(table: &TableValue, report: &mut Report<'_>) -> RetryPolicy {
    let policy = RetryPolicy {
        retries: table.number("attempts").unwrap_or_default(),
        on: table.list("on").iter().filter_map(|item| condition(item.text())).collect(),
        statuses: table.list("codes").iter().map(Item::number).collect(),
        methods: methods(table),
        backoff: table.duration("backoff").unwrap_or_default(),
        backoff_max: table.duration("backoff_max").unwrap_or_default(),
        attempt_count_header: table.flag("attempt_count_header"),
    };
    if let Some(item) = table.get("codes")
        && !policy.statuses.is_empty()
        && !policy.on.is_empty()
        && !policy.on.contains(&RetryCondition::RetriableStatus)
    {
        report
            .error(item.span, "these statuses are never tried again")
            .remedy("add `retriable_status` to `on`, or remove `codes`");
    }
    if let Some(item) = table.get("backoff")
        && policy.backoff_max < policy.backoff
    {
        report
            .error(item.span, "the first pause is longer than `backoff_max`")
            .remedy("`backoff_max` is 10s unless given: raise it, or lower `backoff`");
    }
    policy
}

/// The condition of this name in the configuration.
fn condition(name: &str) -> Option<RetryCondition> {
    Some(match name {
        "connect_failure" => RetryCondition::ConnectFailure,
        "refused_stream" => RetryCondition::RefusedStream,
        "reset" => RetryCondition::Reset,
        "per_try_timeout" => RetryCondition::PerTryTimeout,
        "gateway_error" => RetryCondition::GatewayError,
        "5xx" => RetryCondition::ServerError,
        "retriable_status" => RetryCondition::RetriableStatus,
        "cancelled" => RetryCondition::GrpcCancelled,
        "deadline_exceeded" => RetryCondition::GrpcDeadlineExceeded,
        "internal" => RetryCondition::GrpcInternal,
        "resource_exhausted" => RetryCondition::GrpcResourceExhausted,
        "unavailable" => RetryCondition::GrpcUnavailable,
        _ => return None,
    })
}

fn methods(table: &TableValue) -> RetryMethods {
    match table.text("methods") {
        Some("any") => RetryMethods::Any,
        Some(_) => RetryMethods::Idempotent,
        None => RetryMethods::Listed(table.strings("methods")),
    }
}

pub(super) fn hedge(table: &TableValue) -> Hedge {
    Hedge { delay: table.duration("delay").unwrap_or_default() }
}
