//! What is tried again by condition, where to, and when.

use std::net::SocketAddr;
use std::time::Duration;

use bulkhead_config::model::{
    Balance, Cluster, Config, Endpoint, EndpointAddress, Protocol, RetryMethods, RetryPolicy,
};
use bulkhead_message::RetryCondition;
use http::{Request, Response};
use tokio::net::TcpListener;

use crate::grpc::request;
use crate::http2::{connect, run};
use crate::scripted::{FINE, Reply, Scripted, UNAVAILABLE};
use crate::support::{address, client, config, origin, read_response, start, value};

/// One route with this policy to these endpoints in turn. No pauses.
fn with(endpoints: &[SocketAddr], policy: RetryPolicy) -> Config {
    let mut config = config(endpoints[0], Protocol::Http1, 1);
    let endpoints = endpoints.iter().map(|&at| Endpoint::new(EndpointAddress::Socket(at)));
    let cluster = Cluster {
        balance: Balance::RoundRobin,
        ..Cluster::new("origin", endpoints.collect(), Protocol::Http1)
    };
    config.clusters.insert("origin".to_owned(), cluster);
    config.routes[0].retry = Some(RetryPolicy { backoff: Duration::ZERO, ..policy });
    config
}

fn on(conditions: &[RetryCondition]) -> RetryPolicy {
    RetryPolicy { on: conditions.to_vec(), ..RetryPolicy::default() }
}

/// Status of the answer to one request, and how many the upstream saw.
fn ask(upstream: &Scripted, policy: RetryPolicy, request: &str) -> (String, usize) {
    let gateway = start(with(&[upstream.address], policy));
    let mut client = client(&gateway);
    client.send(request);
    let (head, _) = read_response(&mut client);
    (head["HTTP/1.1 ".len()..][..3].to_owned(), upstream.seen().len())
}

/// Conditions, the first reply, the status that the client gets, and how many requests are seen.
type Case<'a> = (&'a [RetryCondition], &'a dyn Fn() -> Reply, &'a str, usize);

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi";

#[test]
fn statuses_and_resets_are_tried_again_where_the_route_says_so() {
    use RetryCondition as C;
    let status = |code: &'static str| move || Reply::Say(code);
    let internal = status("500 No\r\ncontent-length: 0\r\n\r\n");
    let unavailable = status("503 No\r\ncontent-length: 0\r\n\r\n");
    let close = || Reply::Close;
    let cases: [Case<'_>; 7] = [
        (&[C::GatewayError], &unavailable, "200", 2),
        (&[C::GatewayError], &internal, "500", 1),
        (&[C::ServerError], &internal, "200", 2),
        (&[C::Reset], &unavailable, "503", 1),
        (&[C::Reset], &close, "200", 2),
        (&[C::GatewayError], &close, "502", 1),
        (&[C::ConnectFailure], &close, "502", 1),
    ];
    for (conditions, first, expect, requests) in cases {
        let first = first();
        let closes = matches!(first, Reply::Close);
        let say = if let Reply::Say(text) = first { text } else { "" };
        let upstream = Scripted::start(move |number, _| match number {
            0 if closes => Reply::Close,
            0 => Reply::Say(say),
            _ => FINE,
        });
        let answered = ask(&upstream, on(conditions), GET);
        assert_eq!(answered, (expect.to_owned(), requests), "{conditions:?}");
    }
}

#[test]
fn what_may_have_been_processed_is_repeated_only_for_the_methods_that_are_named() {
    for (methods, expect, requests) in [
        (RetryMethods::Idempotent, "503", 1),
        (RetryMethods::Any, "200", 2),
        (RetryMethods::Listed(vec!["POST".to_owned()]), "200", 2),
        (RetryMethods::Listed(vec!["PUT".to_owned()]), "503", 1),
    ] {
        let upstream = Scripted::start(|number, _| if number == 0 { UNAVAILABLE } else { FINE });
        let policy = RetryPolicy { methods, ..on(&[RetryCondition::GatewayError]) };
        let answered = ask(&upstream, policy, POST);
        assert_eq!(answered, (expect.to_owned(), requests));
        assert!(upstream.seen().iter().all(|request| request.ends_with("\r\n\r\nhi")));
    }
}

#[test]
fn an_attempt_that_takes_too_long_is_followed_by_another() {
    let upstream = Scripted::start(|number, _| if number == 0 { Reply::Stall } else { FINE });
    let mut config = with(&[upstream.address], on(&[RetryCondition::PerTryTimeout]));
    config.routes[0].timeouts.backend_request = Some(Duration::from_millis(50));
    let gateway = start(config);
    let mut client = client(&gateway);
    client.send(GET);
    assert!(read_response(&mut client).0.starts_with("HTTP/1.1 200"));
    assert_eq!(upstream.seen().len(), 2);
}

#[test]
fn no_endpoint_is_tried_twice_while_there_are_others() {
    for round in 0..8 {
        let origins: Vec<_> = (0..4).map(|_| origin()).collect();
        let at: Vec<_> = origins.iter().map(bulkhead_origin::Origin::addr).collect();
        let policy = RetryPolicy { retries: 3, ..on(&[RetryCondition::GatewayError]) };
        let mut config = with(&at, policy);
        if let Some(cluster) = config.clusters.get_mut("origin") {
            cluster.balance = Balance::LeastRequest;
        }
        let gateway = start(config);
        let mut client = client(&gateway);
        client.send("GET /status/503 HTTP/1.1\r\nhost: a\r\n\r\n");
        assert!(read_response(&mut client).0.starts_with("HTTP/1.1 503"));
        let seen: Vec<_> = origins.iter().map(|one| one.stats().requests_total()).collect();
        assert_eq!(seen, [1, 1, 1, 1], "round {round}");
    }
}

#[test]
fn the_upstream_is_told_which_attempt_it_sees() {
    for marks in [true, false] {
        let upstream = Scripted::start(|number, _| if number < 2 { UNAVAILABLE } else { FINE });
        let policy =
            RetryPolicy { attempt_count_header: marks, ..on(&[RetryCondition::GatewayError]) };
        // What a client claims does not count.
        let request = "GET / HTTP/1.1\r\nhost: a\r\nx-bulkhead-attempt-count: 9\r\n\r\n";
        assert_eq!(ask(&upstream, policy, request), ("200".to_owned(), 3));
        for (number, request) in upstream.seen().iter().enumerate() {
            let expect = if marks { number + 1 } else { 9 };
            let field = format!("x-bulkhead-attempt-count: {expect}\r\n");
            assert!(request.contains(&field), "{request}");
            assert_eq!(request.matches("attempt-count").count(), 1);
        }
    }
}

#[test]
fn an_upstream_that_wants_a_longer_pause_than_the_policy_allows_is_left_alone() {
    for (answer, expect, requests) in [
        ("503 No\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n", "200", 2),
        ("503 No\r\nretry-after: 2\r\ncontent-length: 0\r\n\r\n", "503", 1),
        ("503 No\r\nretry-after: soon\r\ncontent-length: 0\r\n\r\n", "200", 2),
    ] {
        let upstream =
            Scripted::start(move |number, _| if number == 0 { Reply::Say(answer) } else { FINE });
        let policy = RetryPolicy {
            backoff_max: Duration::from_secs(1),
            ..on(&[RetryCondition::GatewayError])
        };
        assert_eq!(ask(&upstream, policy, GET), (expect.to_owned(), requests), "{answer}");
    }
}

/// An upstream of gRPC whose first call ends in trailers only, with these fields, and whose others
/// end well.
async fn calls(fields: &'static [(&'static str, &'static str)]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut first = true;
        while let Ok((socket, _)) = listener.accept().await {
            let mut connection = h2::server::handshake(socket).await.expect("shake hands");
            while let Some(Ok((_request, mut answer))) = connection.accept().await {
                let head = Response::builder().header("content-type", "application/grpc");
                let said = if first { fields } else { &[("grpc-status", "0")] };
                first = false;
                let head = said.iter().fold(head, |head, (name, value)| head.header(*name, *value));
                answer.send_response(head.body(()).expect("a head"), true).expect("a stream");
            }
        }
    });
    address
}

#[test]
fn calls_are_tried_again_by_their_status() {
    use RetryCondition as C;
    run(async {
        for (conditions, fields, expect, retries) in [
            (C::GrpcUnavailable, &[("grpc-status", "14")][..], "0", Some(1.0)),
            (C::GrpcInternal, &[("grpc-status", "13")], "0", Some(1.0)),
            (C::GrpcUnavailable, &[("grpc-status", "13")], "13", Some(0.0)),
            (
                C::GrpcUnavailable,
                &[("grpc-status", "14"), ("grpc-retry-pushback-ms", "0")],
                "0",
                Some(1.0),
            ),
            (
                C::GrpcUnavailable,
                &[("grpc-status", "14"), ("grpc-retry-pushback-ms", "-1")],
                "14",
                Some(0.0),
            ),
        ] {
            let upstream = calls(fields).await;
            let mut config = config(upstream, Protocol::Http2, 1);
            let policy = RetryPolicy { backoff: Duration::ZERO, ..on(&[conditions]) };
            config.routes[0].retry = Some(policy);
            let gateway = start(config);
            let client = connect(address(&gateway)).await;
            let head = Request::post("http://a.example/feed.v1.Feed/Get")
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .body(())
                .expect("a request");
            let mut client = client.clone().ready().await.expect("a ready connection");
            let (response, mut stream) = client.send_request(head, false).expect("a stream");
            stream.send_data(request(1), true).expect("an open stream");
            let (head, _) = response.await.expect("a head").into_parts();
            assert_eq!(head.headers["grpc-status"], expect, "{conditions:?} {fields:?}");
            let metrics = gateway.registry().render();
            let counted = value(&metrics, "bulkhead_retries_total{cluster=\"origin\"}");
            assert_eq!(counted, retries, "{conditions:?} {fields:?}");
        }
    });
}
