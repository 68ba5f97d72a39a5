//! Health checks, ejection, slow start, circuit breakers.

use std::time::Duration;

use crate::diagnostic::Report;
use crate::model::{
    CircuitBreaker, Ejection, FailurePercentage, HealthCheck, HealthProbe, Protection, SlowStart,
    SuccessRate,
};
use crate::value::TableValue;

fn duration(table: &TableValue, key: &str) -> Duration {
    table.duration(key).unwrap_or_default()
}

fn number<N: TryFrom<u64> + Default>(table: &TableValue, key: &str) -> N {
    table.number(key).unwrap_or_default()
}

/// The checks of the cluster that `cluster` declares.
pub(super) fn health_check(cluster: &TableValue, report: &mut Report<'_>) -> Option<HealthCheck> {
    let table = cluster.table("health_check")?;
    if let Some(item) = table.get("grpc")
        && cluster.text("protocol") != Some("http2")
    {
        report
            .error(item.span, "gRPC is spoken over HTTP/2 only")
            .remedy("add `protocol: http2` to the cluster, or check it by `http` or `tcp`");
    }
    Some(HealthCheck {
        probe: probe(table, report),
        interval: duration(table, "interval"),
        timeout: duration(table, "timeout"),
        healthy_threshold: number(table, "healthy_threshold"),
        unhealthy_threshold: number(table, "unhealthy_threshold"),
        jitter_percent: number(table, "jitter"),
        port: table.number("port"),
        initially_healthy: table.text("initial") != Some("unhealthy"),
    })
}

fn probe(table: &TableValue, report: &mut Report<'_>) -> HealthProbe {
    if let Some(http) = table.table("http") {
        let path = http.string("path").unwrap_or_default();
        if let Some(item) = http.get("path")
            && !is_request_path(&path)
        {
            report
                .error(item.span, "this is no path that can stand in a request")
                .remedy("begin with `/`, and write other bytes than visible ASCII as `%XX`");
        }
        return HealthProbe::Http {
            path,
            host: http.string("host"),
            method: http.string("method").unwrap_or_default(),
            expected_statuses: http
                .list("expected_statuses")
                .iter()
                .map(|item| item.number())
                .collect(),
        };
    }
    match table.table("grpc") {
        Some(grpc) => HealthProbe::Grpc {
            service: grpc.string("service").unwrap_or_default(),
            host: grpc.string("host"),
        },
        None => HealthProbe::Tcp,
    }
}

/// Whether a text is a target in origin form (RFC 9112 §3.2.1), as far as its bytes go.
fn is_request_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

pub(super) fn ejection(table: &TableValue) -> Ejection {
    Ejection {
        consecutive_failures: number(table, "consecutive_failures"),
        codes: table.list("codes").iter().map(|item| item.number()).collect(),
        interval: duration(table, "interval"),
        success_rate: table.table("success_rate").map(|rate| SuccessRate {
            minimum_endpoints: number(rate, "minimum_endpoints"),
            minimum_requests: number(rate, "minimum_requests"),
            stdev_factor: rate.decimal("stdev_factor").unwrap_or_default(),
        }),
        failure_percentage: table.table("failure_percentage").map(|share| FailurePercentage {
            threshold_percent: number(share, "threshold"),
            minimum_endpoints: number(share, "minimum_endpoints"),
            minimum_requests: number(share, "minimum_requests"),
        }),
        duration: duration(table, "duration"),
        duration_max: duration(table, "duration_max"),
        max_percent: number(table, "max_percent"),
    }
}

pub(super) fn slow_start(table: &TableValue) -> SlowStart {
    SlowStart {
        window: duration(table, "window"),
        aggression: table.decimal("aggression").unwrap_or_default(),
        min_weight_percent: number(table, "min_weight"),
    }
}

/// What protects the cluster or route that `table` declares.
pub(super) fn protection(table: &TableValue) -> Protection {
    Protection {
        requests_max: table.number("requests_max"),
        circuit_breaker: table.table("circuit_breaker").map(|breaker| CircuitBreaker {
            failure_percent: number(breaker, "failure_percentage"),
            minimum_requests: number(breaker, "minimum_requests"),
            window: duration(breaker, "window"),
            open_duration: duration(breaker, "open_duration"),
            half_open_requests: number(breaker, "half_open_requests"),
        }),
    }
}
