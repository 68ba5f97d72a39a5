//! The `fault` filter of a route, and the headers that it may leave the choice to.

use bulkhead_config::model::{FaultAbort, FaultFilter, FaultShare, Filter};

use super::*;

fn with(filter: FaultFilter, upstream: std::net::SocketAddr) -> Config {
    let mut config = config(upstream, Protocol::Http1, 1);
    config.routes[0].filters.push(Filter::Fault(filter));
    config
}

fn ask_with(gateway: &Gateway, headers: &str) -> (u16, Vec<u8>) {
    let mut client = client(gateway);
    client.send(format!("GET /bytes/20480 HTTP/1.1\r\nhost: a\r\n{headers}\r\n"));
    let (head, body) = read_response(&mut client);
    (head["HTTP/1.1 ".len()..][..3].parse().expect("a status"), body)
}

#[test]
fn what_the_filter_says_befalls_whom_it_is_for() {
    let origin = origin();
    let abort = FaultShare { what: Some(FaultAbort::Http(418)), percentage: 100.0 };
    let delay = FaultShare { what: Some(Duration::from_millis(60)), percentage: 100.0 };
    let gateway = start(with(
        FaultFilter {
            abort: Some(abort),
            delay: Some(delay),
            headers: vec![("x-chaos".to_owned(), Some("on".to_owned()))],
            ..FaultFilter::default()
        },
        origin.addr(),
    ));
    let started = Instant::now();
    // The delay comes first.
    assert_eq!(ask_with(&gateway, "x-chaos: on\r\n").0, 418);
    assert!(started.elapsed() >= Duration::from_millis(60));
    assert_eq!(ask_with(&gateway, "x-chaos: off\r\n").0, 200);
    assert_eq!((injected(&gateway, "delay"), injected(&gateway, "abort")), (1.0, 1.0));
    // A reload takes it back.
    gateway.apply(config(origin.addr(), Protocol::Http1, 1)).expect("a configuration");
    let started = Instant::now();
    while ask_with(&gateway, "x-chaos: on\r\n").0 != 200 {
        assert!(started.elapsed() < PATIENCE);
    }
}

#[test]
fn headers_are_believed_only_where_the_filter_says_so() {
    let origin = origin();
    let by_header = FaultFilter {
        abort: Some(FaultShare { what: None, percentage: 100.0 }),
        delay: Some(FaultShare { what: None, percentage: 100.0 }),
        response_rate_limit: Some(FaultShare { what: None, percentage: 100.0 }),
        ..FaultFilter::default()
    };
    let gateway = start(with(by_header, origin.addr()));
    assert_eq!(ask_with(&gateway, "").0, 200);
    assert_eq!(ask_with(&gateway, "x-envoy-fault-abort-request: 429\r\n").0, 429);
    assert_eq!(ask_with(&gateway, "x-envoy-fault-abort-grpc-request: 14\r\n").0, 503);
    for (headers, least) in [
        ("x-envoy-fault-delay-request: 70\r\n", 70),
        // 20 KiB at 100 KiB in a second.
        ("x-envoy-fault-throughput-response: 100\r\n", 195),
    ] {
        let started = Instant::now();
        let (status, body) = ask_with(&gateway, headers);
        assert_eq!((status, body.len()), (200, 20_480), "{headers}");
        assert!(started.elapsed() >= Duration::from_millis(least), "{headers}");
    }
    let never = "x-envoy-fault-abort-request: 429\r\nx-envoy-fault-abort-request-percentage: 0\r\n";
    assert_eq!(ask_with(&gateway, never).0, 200);

    let gateway = start(config(origin.addr(), Protocol::Http1, 1));
    assert_eq!(ask_with(&gateway, "x-envoy-fault-abort-request: 429\r\n").0, 200);
}
