//! Failures that are declared as the upstream's: retries, ejection and the client see them as such.

use bulkhead_config::model::{
    Balance, Cluster, Endpoint, EndpointAddress, RetryMethods, RetryPolicy,
};

use super::*;

fn count(gateway: &Gateway, sample: &str) -> f64 {
    value(&gateway.registry().render(), sample).unwrap_or(0.0)
}

const RETRIES: &str = "bulkhead_retries_total{cluster=\"origin\"}";

#[test]
fn a_failing_endpoint_is_left_for_another() {
    for (failure, after_ms) in [("refused", 0), ("reset", 0), ("reset", 40), ("timeout", 40)] {
        let origins = [origin(), origin()];
        let mut config = config(origins[0].addr(), Protocol::Http1, 1);
        let endpoints =
            origins.iter().map(|origin| Endpoint::new(EndpointAddress::Socket(origin.addr())));
        let cluster = Cluster {
            balance: Balance::RoundRobin,
            ..Cluster::new("origin", endpoints.collect(), Protocol::Http1)
        };
        config.clusters.insert("origin".to_owned(), cluster);
        config.routes[0].retry =
            Some(RetryPolicy { methods: RetryMethods::Idempotent, ..RetryPolicy::default() });
        let gateway = start(config);
        let fails = json!({"failure": failure, "after_ms": after_ms});
        let endpoint = origins[0].addr().to_string();
        put(
            &gateway,
            "u",
            json!({"upstream_failure": fails, "percent": 100, "endpoint": endpoint}),
        );
        for _ in 0..4 {
            assert_eq!(ask(&gateway, "/api/v1/7/feed"), (200, feed(7)), "{failure}");
        }
        assert!(hits(&gateway, "u") >= 1, "{failure}");
        assert_eq!(count(&gateway, RETRIES), hits(&gateway, "u") as f64, "{failure}");
        wait_for_value(&gateway, "http_server_active_requests", 0.0);
    }
}

#[test]
fn without_another_attempt_the_client_is_told() {
    for (failure, after_ms, status) in
        [("refused", 0, 502), ("reset", 0, 502), ("timeout", 30, 504)]
    {
        let origin = origin();
        let mut config = config(origin.addr(), Protocol::Http1, 1);
        config.routes[0].retry = Some(RetryPolicy { retries: 0, ..RetryPolicy::default() });
        let gateway = start(config);
        let fails = json!({"failure": failure, "after_ms": after_ms});
        put(&gateway, "u", json!({"upstream_failure": fails, "percent": 100}));
        assert_eq!(ask(&gateway, "/api/v1/7/feed").0, status, "{failure}");
        gateway.remove_fault("u").expect("taken back");
        assert_eq!(ask(&gateway, "/api/v1/7/feed"), (200, feed(7)), "{failure}");
    }
}

#[test]
fn the_routes_time_out_for_an_attempt_holds_meanwhile() {
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http1, 1);
    config.routes[0].timeouts.backend_request = Some(Duration::from_millis(50));
    let gateway = start(config);
    let fails = json!({"failure": "timeout", "after_ms": 60_000});
    put(&gateway, "u", json!({"upstream_failure": fails, "percent": 100}));
    assert_eq!(ask(&gateway, "/api/v1/7/feed").0, 504);
    wait_for_value(&gateway, "http_server_active_requests", 0.0);
}
