//! Panics that cost one exchange, and that one only.

use std::time::Duration;

use bulkhead_config::model::Protocol;
use bulkhead_gateway::{Fault, Gateway};
use bulkhead_origin::Origin;
use bytes::Bytes;
use http::{Request, StatusCode};

use crate::http2::{Client, connect, exchange, get, grpc, run};
use crate::support::{address, client, config, feed, origin, read_response, start};

/// Longer than a frame, so that it comes in pieces.
const ECHO_BYTES: usize = 40_000;
/// Exchanges that share a connection.
const EXCHANGES: u64 = 9;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Feed,
    Echo,
    Grpc,
}

/// Whether the answer is the right one. False: the exchange has failed, in whatever way.
async fn is_answered(client: &Client, kind: Kind, user: u64) -> bool {
    let (request, body) = match kind {
        Kind::Feed => (get(&format!("/api/v1/{user}/feed")), None),
        Kind::Echo => {
            let request = Request::post("http://a.example/echo").body(()).expect("a request");
            (request, Some(Bytes::from(vec![user as u8; ECHO_BYTES])))
        }
        Kind::Grpc => {
            let mut message = Vec::new();
            bulkhead_origin::feed::push_grpc_request(user, &mut message);
            (grpc("/feed.v1.Feed/Get"), Some(message.into()))
        }
    };
    let Ok((head, received, trailers)) = exchange(client, request, body).await else {
        return false;
    };
    if head.status() != StatusCode::OK || head.headers().contains_key("grpc-status") {
        return false;
    }
    match kind {
        Kind::Feed => assert_eq!(received, feed(user)),
        Kind::Echo => assert!(received == vec![user as u8; ECHO_BYTES], "the echo differs"),
        Kind::Grpc => assert_eq!(trailers.expect("trailers")["grpc-status"], "0"),
    }
    true
}

/// One panic was counted, nobody died of it, and nothing is left of the exchange.
fn check_cost(gateway: &Gateway, what: &str) {
    let (totals, metrics) = (gateway.registry().totals(), gateway.registry().render());
    assert_eq!((totals.panics, totals.workers_panicked, totals.retries), (1, 0, 0), "{what}");
    assert!(metrics.contains("http_server_active_requests 0"), "{what}: {metrics}");
    let evacuated = gateway.evacuation_totals();
    assert_eq!((evacuated.killed, evacuated.lost_connections), (0, 0), "{what}");
}

#[test]
fn a_panic_anywhere_in_an_exchange_leaves_the_others_of_its_connections() {
    let places = [
        (Fault::RoutePanic, Kind::Feed),
        (Fault::RequestDataPanic, Kind::Echo),
        (Fault::PipePanic, Kind::Echo),
        (Fault::ResponseHeadPanic, Kind::Feed),
        (Fault::ResponseDataPanic, Kind::Feed),
        (Fault::ResponseDataPanic, Kind::Grpc),
        (Fault::ResponseTrailersPanic, Kind::Grpc),
    ];
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for (fault, kind) in places {
            if matches!(kind, Kind::Grpc) && protocol == Protocol::Http1 {
                continue;
            }
            // Warm: the upstream connections are there. Cold: the requests wait for them.
            for warm in [true, false] {
                let what = format!("{fault:?} {kind:?} {protocol:?}, warm: {warm}");
                run(async {
                    let origin = origin();
                    let gateway = start(config(origin.addr(), protocol, 1));
                    one_of_many(&origin, &gateway, fault, kind, warm, &what).await;
                });
            }
        }
    }
}

async fn one_of_many(
    origin: &Origin,
    gateway: &Gateway,
    fault: Fault,
    kind: Kind,
    warm: bool,
    what: &str,
) {
    let client = connect(address(gateway)).await;
    if warm {
        assert!(is_answered(&client, kind, 0).await, "{what}");
    }
    gateway.inject(fault, 1);
    let calls: Vec<_> = (1..=EXCHANGES)
        .map(|user| {
            let client = client.clone();
            tokio::spawn(async move { is_answered(&client, kind, user).await })
        })
        .collect();
    let mut answered = 0;
    for call in calls {
        answered += u64::from(call.await.expect("no wrong answer"));
    }
    assert_eq!(answered, EXCHANGES - 1, "{what}");
    assert!(is_answered(&client, kind, 10).await, "{what}");
    assert!(origin.stats().requests_total() <= EXCHANGES + 2, "{what}: tried again");
    check_cost(gateway, what);
}

#[test]
fn a_panic_on_one_stream_leaves_those_that_wait_for_the_upstream() {
    run(async {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let origin = origin();
            let gateway = start(config(origin.addr(), protocol, 1));
            let client = connect(address(&gateway)).await;
            let slow: Vec<_> = (0..5)
                .map(|_| {
                    let client = client.clone();
                    tokio::spawn(async move { exchange(&client, get("/delay/100"), None).await })
                })
                .collect();
            // In flight once the origin has them all: the panic must hit none of these.
            while origin.stats().requests_total() < 5 {
                tokio::task::yield_now().await;
            }
            gateway.panic_exchanges(1);
            if let Ok((head, ..)) = exchange(&client, get("/api/v1/1/feed"), None).await {
                assert_eq!(head.status(), StatusCode::INTERNAL_SERVER_ERROR, "{protocol:?}");
            }
            for slow in slow {
                let (head, ..) = slow.await.expect("no panic").expect("an answer");
                assert_eq!(head.status(), StatusCode::OK, "{protocol:?}");
            }
            assert!(is_answered(&client, Kind::Feed, 2).await);
            check_cost(&gateway, "route");
        }
    });
}

#[test]
fn a_panic_in_a_timer_costs_the_exchange_that_it_belongs_to() {
    let origin = origin();
    let mut config = config(origin.addr(), Protocol::Http2, 1);
    config.routes[0].timeouts.request = Some(Duration::from_millis(100));
    let gateway = start(config);
    gateway.inject(Fault::ExchangeTimerPanic, 1);
    let mut clients: Vec<_> = (0..3).map(|_| client(&gateway)).collect();
    for client in &mut clients {
        client.send("GET /delay/20000 HTTP/1.1\r\nhost: a\r\n\r\n");
    }
    let mut statuses: Vec<_> = clients
        .iter_mut()
        .map(|client| read_response(client).0.split(' ').nth(1).map(str::to_owned))
        .map(|status| status.expect("a status"))
        .collect();
    statuses.sort();
    assert_eq!(statuses, ["500", "504", "504"]);
    for (user, client) in clients.iter_mut().enumerate() {
        client.send(format!("GET /api/v1/{user}/feed HTTP/1.1\r\nhost: a\r\n\r\n"));
        assert_eq!(read_response(client).1, feed(user as u64));
    }
    check_cost(&gateway, "timer");
}

#[test]
fn panics_do_not_use_up_the_window_of_a_connection() {
    run(async {
        let origin = origin();
        let gateway = start(config(origin.addr(), Protocol::Http2, 1));
        let client = connect(address(&gateway)).await;
        // More bytes than the connection's window has.
        for _ in 0..80 {
            gateway.inject(Fault::RequestDataPanic, 1);
            let post = Request::post("http://a.example/echo").body(()).expect("a request");
            let piece = Bytes::from_static(&[7; 16_384]);
            if let Ok((head, ..)) = exchange(&client, post, Some(piece)).await {
                assert_eq!(head.status(), StatusCode::INTERNAL_SERVER_ERROR);
            }
        }
        assert!(is_answered(&client, Kind::Echo, 1).await);
        assert_eq!(gateway.registry().totals().panics, 80);
    });
}

#[test]
fn an_exchange_that_panics_twice_costs_its_connection_and_no_other() {
    let origin = origin();
    let gateway = start(config(origin.addr(), Protocol::Http2, 1));
    let (mut victim, mut bystander) = (client(&gateway), client(&gateway));
    bystander.send("GET /delay/100 HTTP/1.1\r\nhost: a\r\n\r\n");
    victim.send("GET /api/v1/1/feed HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(read_response(&mut victim).1, feed(1));
    // Once for the body, and again for the answer that tells of it.
    gateway.inject(Fault::PipePanic, 2);
    victim.send("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc");
    victim.read_to_end();
    assert!(read_response(&mut bystander).0.starts_with("HTTP/1.1 200"));
    bystander.send("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc");
    assert_eq!(read_response(&mut bystander).1, b"abc");
    assert_eq!(gateway.registry().totals().connections_active(), 1);
    check_cost(&gateway, "twice");
}
