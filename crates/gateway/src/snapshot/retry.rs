//! A route's retries, compiled.

use bulkhead_config::model;
use bulkhead_upstream::{RetryCondition, RetryMethods, RetryPolicy};

pub(super) fn policy(route: &model::Route) -> RetryPolicy {
    let Some(policy) = &route.retry else { return RetryPolicy::unprocessed_only() };
    RetryPolicy {
        retries: policy.retries,
        on: policy.on.iter().map(|condition| named(*condition)).collect(),
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

const fn named(condition: model::RetryCondition) -> RetryCondition {
    match condition {
        model::RetryCondition::ConnectFailure => RetryCondition::ConnectFailure,
        model::RetryCondition::RefusedStream => RetryCondition::RefusedStream,
        model::RetryCondition::Reset => RetryCondition::Reset,
        model::RetryCondition::PerTryTimeout => RetryCondition::PerTryTimeout,
        model::RetryCondition::GatewayError => RetryCondition::GatewayError,
        model::RetryCondition::ServerError => RetryCondition::ServerError,
        model::RetryCondition::RetriableStatus => RetryCondition::RetriableStatus,
        model::RetryCondition::GrpcCancelled => RetryCondition::GrpcCancelled,
        model::RetryCondition::GrpcDeadlineExceeded => RetryCondition::GrpcDeadlineExceeded,
        model::RetryCondition::GrpcInternal => RetryCondition::GrpcInternal,
        model::RetryCondition::GrpcResourceExhausted => RetryCondition::GrpcResourceExhausted,
        model::RetryCondition::GrpcUnavailable => RetryCondition::GrpcUnavailable,
    }
}
