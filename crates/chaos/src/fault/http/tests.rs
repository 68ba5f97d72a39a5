use serde_json::json;

use super::HttpFault;
use crate::Fault;

#[test]
fn what_is_declared_reads_back_the_same() {
    for (declared, kind) in [
        (
            json!({"delay": {"delay_ms": 250, "direction": "request"}, "percent": 10.0}),
            "http.delay",
        ),
        (json!({"abort": {"status": 503}, "percent": 0.5, "route": "api"}), "http.abort"),
        (json!({"abort": {"grpc_status": 14}, "percent": 100.0}), "http.abort"),
        (
            json!({"replace_status": {"status": 500}, "percent": 1.0, "endpoint": "10.0.0.1:80"}),
            "http.replace_status",
        ),
        (json!({"truncate_body": {"after_bytes": 10}, "percent": 1.0}), "http.truncate_body"),
        (
            json!({"corrupt_body": {"offset": 0, "direction": "response"}, "percent": 1.0}),
            "http.corrupt_body",
        ),
        (
            json!({"slow_body": {"bytes_per_s": 1024, "direction": "request"}, "percent": 1.0,
                "headers": [{"name": "x-user", "value": "7"}, {"name": "x-any"}]}),
            "http.slow_body",
        ),
        (json!({"reset": {"after_bytes": 0}, "percent": 1.0, "active_max": 5}), "http.reset"),
        (
            json!({"upstream_failure": {"failure": "timeout", "after_ms": 100}, "percent": 1.0}),
            "http.upstream_failure",
        ),
        (
            json!({"goaway": {}, "percent": 50.0, "control_group": {"header": "x-user"}}),
            "http.goaway",
        ),
        (json!({"goaway": {}, "percent": 50.0, "control_group": "connection"}), "http.goaway"),
    ] {
        let fault: HttpFault = serde_json::from_value(declared.clone()).expect("a fault");
        assert_eq!(serde_json::to_value(&fault).expect("JSON"), declared);
        assert_eq!(Fault::Http(fault).kind(), kind);
    }
}

#[test]
fn what_is_ambiguous_is_refused() {
    for (declared, reason) in [
        (json!({"percent": 10}), "here are 0"),
        (json!({"abort": {"status": 503}, "goaway": {}, "percent": 10}), "here are 2"),
        (json!({"abort": {"status": 503}}), "missing field `percent`"),
        (json!({"abort": {}, "percent": 10}), "one of `status` and `grpc_status`"),
        (json!({"abort": {"status": 503, "grpc_status": 14}, "percent": 10}), "not both"),
        (json!({"abort": {"status": 100}, "percent": 10}), "200 to 599"),
        (json!({"abort": {"grpc_status": 0}, "percent": 10}), "1 to 16"),
        (json!({"abort": {"status": 503}, "percent": 0}), "over 0"),
        (json!({"abort": {"status": 503}, "percent": 101}), "up to 100"),
        (json!({"abort": {"status": 503}, "percent": 1, "endpoint": "[::1]:80"}), "`endpoint`"),
        (json!({"abort": {"status": 503}, "percent": 1, "headers": [{"name": "a b"}]}), "header"),
        (json!({"abort": {"status": 503}, "percent": 1, "active_max": 0}), "at least 1"),
        (json!({"abort": {"status": 503}, "percent": 1, "rate": 3}), "unknown field `rate`"),
        (json!({"goaway": {}, "percent": 60, "control_group": "request"}), "at most 50"),
        (json!({"delay": {"delay_ms": 5}, "percent": 1}), "missing field `direction`"),
        (json!({"delay": {"delay_ms": 0, "direction": "request"}, "percent": 1}), "1 to 900000"),
        (
            json!({"slow_body": {"bytes_per_s": 0, "direction": "request"}, "percent": 1}),
            "at least 1",
        ),
        (json!({"upstream_failure": {"failure": "timeout"}, "percent": 1}), "give `after_ms`"),
    ] {
        let error = serde_json::from_value::<HttpFault>(declared.clone()).expect_err("a refusal");
        assert!(error.to_string().contains(reason), "{declared}: {error}");
    }
}
