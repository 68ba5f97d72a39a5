use std::time::Duration;

use bulkhead_message::{ExchangeRecord, FailureKind, Outcome, Side};

use super::*;

fn record(status: u16, version: Version, micros: u64) -> ExchangeRecord<'static> {
    ExchangeRecord {
        client: None,
        method: b"GET",
        authority: b"example.test",
        target: b"/",
        version,
        route: "feed",
        cluster: "api",
        endpoint: "",
        status,
        grpc_status: None,
        tunnel: None,
        outcome: Outcome::Complete,
        attempts: 1,
        request_bytes: 10,
        response_bytes: 1_000,
        duration: Duration::from_micros(micros),
        revision: 1,
        request_id: None,
        fault: None,
        fault_group: None,
        tls: None,
    }
}

#[track_caller]
fn check_lines(text: &str, expected: &[&str]) {
    for line in expected {
        assert!(text.lines().any(|there| there == *line), "`{line}` is not in:\n{text}");
    }
}

#[test]
fn exchanges_are_summed_over_workers() {
    let registry = Registry::new();
    let series = registry.series("feed", "api");
    for worker in 0..3 {
        let shard = registry.shard(worker);
        shard.exchange_started();
        shard.record(&series, &record(200, Version::Http2, 800));
    }
    let shard = registry.shard(0);
    shard.exchange_started();
    shard.record(
        &ExchangeSeries::NONE,
        &ExchangeRecord {
            outcome: Outcome::Failed { kind: FailureKind::NoRoute, side: Side::Downstream },
            ..record(404, Version::Http11, 20)
        },
    );
    shard.exchange_started();
    check_lines(
        &registry.render(),
        &[
            "http_server_requests_total{http_route=\"feed\",cluster=\"api\",http_response_status_code=\"200\"} 3",
            "http_server_requests_total{http_route=\"\",cluster=\"\",http_response_status_code=\"404\"} 1",
            "http_server_active_requests 1",
            "http_server_request_body_bytes_total{http_route=\"feed\",cluster=\"api\"} 30",
            "http_server_response_body_bytes_total{http_route=\"feed\",cluster=\"api\"} 3000",
            "http_server_request_duration_seconds_bucket{http_route=\"feed\",http_response_status_class=\"2xx\",network_protocol_version=\"2\",cluster=\"api\",le=\"0.0005\"} 0",
            "http_server_request_duration_seconds_bucket{http_route=\"feed\",http_response_status_class=\"2xx\",network_protocol_version=\"2\",cluster=\"api\",le=\"0.001\"} 3",
            "http_server_request_duration_seconds_bucket{http_route=\"feed\",http_response_status_class=\"2xx\",network_protocol_version=\"2\",cluster=\"api\",le=\"+Inf\"} 3",
            "http_server_request_duration_seconds_sum{http_route=\"feed\",http_response_status_class=\"2xx\",network_protocol_version=\"2\",cluster=\"api\"} 0.0024",
            "http_server_request_duration_seconds_count{http_route=\"feed\",http_response_status_class=\"2xx\",network_protocol_version=\"2\",cluster=\"api\"} 3",
            "bulkhead_failures_total{kind=\"no_route\",side=\"downstream\"} 1",
            "bulkhead_worker_exchanges_total{worker=\"0\"} 2",
        ],
    );
    let totals = registry.totals();
    assert_eq!((totals.exchanges_finished, totals.exchanges_failed), (4, 1));
    assert_eq!(totals.exchanges_active(), 1);
    assert_eq!(registry.latency().count, 4);
    assert_eq!(registry.latency().max, Duration::from_micros(800));
}

#[test]
fn series_are_stable_by_name() {
    let registry = Registry::new();
    let first = registry.series("feed", "api");
    assert_ne!(first, registry.series("feed", "other-api"));
    assert_eq!(first, registry.series("feed", "api"));
    assert_eq!(registry.series("", ""), ExchangeSeries::NONE);
    assert_eq!(registry.cluster("api"), registry.cluster("api"));
}

#[test]
fn connection_evacuated_and_closed_elsewhere_is_not_open() {
    let registry = Registry::new();
    let (from, to) = (registry.shard(0), registry.shard(1));
    let cluster = registry.cluster("api");
    from.accepted();
    from.connection_opened(Version::Http2, true);
    from.upstream_connected(cluster);
    from.evacuated_out(2);
    to.evacuated_in(2);
    assert_eq!(registry.connections_active(Version::Http2), 1);
    to.connection_closed(Version::Http2, true);
    to.upstream_closed(cluster);
    assert_eq!(registry.totals().connections_active(), 0);
    check_lines(
        &registry.render(),
        &[
            "bulkhead_connections_total{network_protocol_version=\"2\",tls=\"true\"} 1",
            "http_server_open_connections{network_protocol_version=\"2\",tls=\"true\"} 0",
            "http_client_open_connections{cluster=\"api\"} 0",
            "bulkhead_worker_evacuated_out_total{worker=\"0\"} 2",
            "bulkhead_worker_evacuated_in_total{worker=\"1\"} 2",
        ],
    );
}

#[test]
fn clusters_workers_and_configuration() {
    let registry = Registry::new();
    let shard = registry.shard(7);
    let cluster = registry.cluster("api");
    shard.attempt_finished(cluster, Duration::from_millis(3), true);
    shard.attempt_finished(cluster, Duration::from_secs(11), false);
    shard.upstream_connect_failed(cluster);
    shard.retried(cluster);
    shard.retry_refused(cluster);
    shard.ejected(cluster);
    shard.cluster_overloaded(cluster);
    shard.set_jwt_cache(90, 10, 10);
    shard.flood("rapid_reset");
    shard.protocol_error("bad_preface");
    shard.panicked();
    shard.loop_turned(5);
    shard.set_cpu(Duration::from_millis(1_500));
    registry.worker_started();
    registry.worker_killed();
    registry.config_applied(12);
    registry.config_rejected();
    check_lines(
        &registry.render(),
        &[
            "http_client_request_duration_seconds_bucket{cluster=\"api\",outcome=\"ok\",le=\"0.005\"} 1",
            "http_client_request_duration_seconds_bucket{cluster=\"api\",outcome=\"failed\",le=\"10\"} 0",
            "http_client_request_duration_seconds_bucket{cluster=\"api\",outcome=\"failed\",le=\"+Inf\"} 1",
            "bulkhead_upstream_connect_failures_total{cluster=\"api\"} 1",
            "bulkhead_retries_total{cluster=\"api\"} 1",
            "bulkhead_retries_refused_total{cluster=\"api\"} 1",
            "bulkhead_ejections_total{cluster=\"api\"} 1",
            "bulkhead_cluster_overloads_total{cluster=\"api\"} 1",
            "bulkhead_jwt_cache_hits_total 90",
            "bulkhead_jwt_cache_misses_total 10",
            "bulkhead_floods_total{reason=\"rapid_reset\"} 1",
            "bulkhead_protocol_errors_total{reason=\"bad_preface\"} 1",
            "bulkhead_worker_panics_total{worker=\"7\"} 1",
            "bulkhead_worker_loop_events_total{worker=\"7\"} 5",
            "bulkhead_worker_cpu_seconds_total{worker=\"7\"} 1.5",
            "bulkhead_workers_killed_total 1",
            "bulkhead_config_revision 12",
            "bulkhead_configs_rejected_total 1",
        ],
    );
    let totals = registry.totals();
    assert_eq!((totals.retries, totals.workers_killed, totals.jwt_hits), (1, 1, 90));
}

#[test]
fn endpoints_and_circuit_breakers() {
    let registry = Registry::new();
    let counts = |cluster: &str, healthy| {
        let cluster = cluster.to_owned();
        EndpointCounts { cluster, endpoints: 3, healthy }
    };
    registry.set_endpoints(vec![counts("gone", 3)]);
    registry.set_endpoints(vec![counts("api", 2)]);
    let (cluster, route) =
        (registry.cluster("api"), registry.breaker(crate::BreakerScope::Route, "search"));
    for worker in 0..2 {
        let shard = registry.shard(worker);
        shard.set_endpoints(cluster, 1, worker == 0);
        shard.set_breaker(route, true);
        shard.breaker_opened(route, 2);
        shard.breaker_rejected(route);
        shard.breaker_full(route);
    }
    registry.shard(1).set_breaker(route, false);
    let text = registry.render();
    check_lines(
        &text,
        &[
            "bulkhead_cluster_endpoints{cluster=\"api\"} 3",
            "bulkhead_cluster_healthy_endpoints{cluster=\"api\"} 2",
            "bulkhead_cluster_ejected_endpoints{cluster=\"api\"} 2",
            "bulkhead_cluster_panic_workers{cluster=\"api\"} 1",
            "bulkhead_circuit_breaker_open_workers{scope=\"route\",name=\"search\"} 1",
            "bulkhead_circuit_breaker_opened_total{scope=\"route\",name=\"search\"} 4",
            "bulkhead_circuit_breaker_rejections_total{scope=\"route\",name=\"search\",reason=\"open\"} 2",
            "bulkhead_circuit_breaker_rejections_total{scope=\"route\",name=\"search\",reason=\"requests_max\"} 2",
        ],
    );
    assert!(!text.contains("gone"), "a cluster that is not in force");
}

/// What a scraper insists on: families announced once and in one piece, samples with a number,
/// buckets that do not fall, `+Inf` equal to the count.
#[test]
fn exposition_is_well_formed() {
    let registry = Registry::new();
    let shard = registry.shard(0);
    for (route, status) in [("a\"b", 200), ("c", 503), ("c", 0)] {
        shard.exchange_started();
        shard.record(&registry.series(route, "api"), &record(status, Version::Http11, 70_000));
    }
    shard.attempt_finished(registry.cluster("api"), Duration::from_millis(7), true);
    let text = registry.render();
    let mut families: Vec<&str> = Vec::new();
    let mut last_bucket = 0;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let name = rest.split(' ').next().unwrap();
            assert!(!families.contains(&name), "{name} is announced twice");
            families.push(name);
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap();
        let family = name.split('{').next().unwrap();
        let current = *families.last().unwrap();
        assert!(
            family == current
                || ["_bucket", "_sum", "_count"]
                    .iter()
                    .any(|suffix| family == format!("{current}{suffix}")),
            "{line} stands under {current}"
        );
        if family.ends_with("_bucket") {
            if name.contains("le=\"0.0005\"") {
                last_bucket = 0;
            }
            assert!(value as u64 >= last_bucket, "{line}");
            last_bucket = value as u64;
        } else if family.ends_with("_count") {
            assert_eq!(value as u64, last_bucket, "{line}");
        }
    }
    assert!(text.contains("http_route=\"a\\\"b\""));
    assert!(text.contains("http_response_status_code=\"none\""));
}
