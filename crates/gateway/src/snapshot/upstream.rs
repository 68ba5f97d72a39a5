//! A cluster's configuration, in the terms of `bulkhead_upstream`.

use super::backend;
use bulkhead_config::model::{self, Protocol};
use bulkhead_upstream::{
    ClusterSettings, ConcurrencySettings, EjectionSettings, FailurePercentage,
    Protocol as PoolProtocol, SlowStart, SuccessRate,
};

pub(super) fn settings(cluster: &model::Cluster) -> ClusterSettings {
    ClusterSettings {
        protocol: match cluster.protocol {
            Protocol::Http1 => PoolProtocol::Http1,
            Protocol::Http2 => PoolProtocol::Http2,
        },
        balance: backend::balance(cluster.balance),
        locality: backend::locality(cluster.locality),
        idle_timeout: cluster.idle_timeout,
        http2_connections: cluster.http2_connections,
        connections_max: cluster.connections_max,
        pending_max: cluster.pending_max,
        concurrency: cluster.adaptive_concurrency.as_ref().map(|limit| ConcurrencySettings {
            initial: limit.initial,
            min: limit.min,
            max: limit.max,
            tolerance_percent: limit.tolerance_percent,
            window: limit.window,
            probe_interval: limit.probe_interval,
        }),
        retry_budget_percent: cluster.retry_budget_percent,
        ejection: cluster.ejection.as_ref().map(ejection),
        initially_healthy: cluster
            .health_check
            .as_ref()
            .is_none_or(|health_check| health_check.initially_healthy),
        panic_percent: cluster.panic_threshold_percent,
        slow_start: cluster.slow_start.map(|slow_start| SlowStart {
            window: slow_start.window,
            aggression: slow_start.aggression,
            min_percent: slow_start.min_weight_percent,
        }),
    }
}

fn ejection(ejection: &model::Ejection) -> EjectionSettings {
    EjectionSettings {
        consecutive_failures: ejection.consecutive_failures,
        codes: ejection.codes.iter().copied().collect(),
        interval: ejection.interval,
        success_rate: ejection.success_rate.map(|rate| SuccessRate {
            minimum_endpoints: rate.minimum_endpoints,
            minimum_requests: rate.minimum_requests,
            stdev_factor: rate.stdev_factor,
        }),
        failure_percentage: ejection.failure_percentage.map(|share| FailurePercentage {
            threshold: share.threshold_percent,
            minimum_endpoints: share.minimum_endpoints,
            minimum_requests: share.minimum_requests,
        }),
        duration: ejection.duration,
        duration_max: ejection.duration_max,
        percent_max: ejection.max_percent,
    }
}
