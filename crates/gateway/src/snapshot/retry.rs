//! A route's retries, compiled.

use bulkhead_config::model;
use bulkhead_upstream::{RetryMethods, RetryPolicy};

pub(super) fn policy(route: &model::Route) -> RetryPolicy {
    let Some(policy) = &route.retry else { return RetryPolicy::unprocessed_only() };
    RetryPolicy {
        retries: policy.retries,
        on: policy.on.iter().copied().collect(),
        statuses: policy.statuses.clone(),
        backoff: policy.backoff,
        backoff_max: policy.backoff_max,
        methods: match &policy.methods {
            model::RetryMethods::Idempotent => RetryMethods::Idempotent,
            model::RetryMethods::Any => RetryMethods::Any,
            model::RetryMethods::Listed(methods) => RetryMethods::Listed(methods.clone()),
        },
    }
}
