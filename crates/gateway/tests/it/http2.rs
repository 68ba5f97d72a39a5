//! HTTP/2 downstream, spoken by the `h2` crate as an independent client.

use std::net::SocketAddr;
use std::time::Duration;

use bulkhead_config::model::Protocol;
use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::support::{address, config, feed, origin, start};

pub(crate) type Client = SendRequest<Bytes>;

pub(crate) async fn connect(address: SocketAddr) -> Client {
    shake_hands(TcpStream::connect(address).await.expect("connect")).await
}

/// Begins HTTP/2 on a stream that is up.
pub(crate) async fn shake_hands(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Client {
    let (client, connection) = h2::client::Builder::new()
        // Room for a whole echoed body: these clients send all before they read.
        .initial_window_size(4 << 20)
        .initial_connection_window_size(8 << 20)
        .handshake(stream)
        .await
        .expect("shake hands");
    tokio::spawn(async move {
        // The test notices by its own requests when the connection is gone.
        let _ = connection.await;
    });
    client
}

pub(crate) fn get(path: &str) -> Request<()> {
    Request::get(format!("http://a.example{path}")).body(()).expect("a request")
}

/// Head, body, trailers.
pub(crate) async fn exchange(
    client: &Client,
    request: Request<()>,
    body: Option<Bytes>,
) -> Result<(Response<()>, Vec<u8>, Option<http::HeaderMap>), h2::Error> {
    let mut client = client.clone().ready().await?;
    let (response, mut stream) = client.send_request(request, body.is_none())?;
    if let Some(mut body) = body {
        while !body.is_empty() {
            stream.reserve_capacity(body.len());
            let room = std::future::poll_fn(|context| stream.poll_capacity(context)).await;
            let room = room.expect("an open stream")?;
            let piece = body.split_to(room.min(body.len()));
            stream.send_data(piece, body.is_empty())?;
        }
    }
    let (head, mut incoming) = response.await?.into_parts();
    let mut received = Vec::new();
    while let Some(piece) = incoming.data().await {
        let piece = piece?;
        received.extend_from_slice(&piece);
        incoming.flow_control().release_capacity(piece.len())?;
    }
    let trailers = incoming.trailers().await?;
    Ok((Response::from_parts(head, ()), received, trailers))
}

pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let limited = async { tokio::time::timeout(Duration::from_secs(30), test).await };
    runtime.expect("a runtime").block_on(limited).expect("the test ends in time");
}

#[test]
fn many_streams_share_a_connection() {
    run(async {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let origin = origin();
            let gateway = start(config(origin.addr(), protocol, 2));
            let client = connect(address(&gateway)).await;
            let calls = (0..200u64).map(|user| {
                let client = client.clone();
                tokio::spawn(async move {
                    let request = get(&format!("/api/v1/{user}/feed"));
                    let (head, body, _) = exchange(&client, request, None).await.expect("answer");
                    assert_eq!((head.status(), body), (StatusCode::OK, feed(user)));
                })
            });
            for call in calls.collect::<Vec<_>>() {
                call.await.expect("a right answer");
            }
        }
    });
}

#[test]
fn bodies_larger_than_every_window_pass_both_ways() {
    run(async {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let origin = origin();
            let gateway = start(config(origin.addr(), protocol, 1));
            let client = connect(address(&gateway)).await;
            let body: Vec<u8> = (0..3_000_000u32).map(|n| (n * 7 % 251) as u8).collect();
            let request = Request::post("http://a.example/echo").body(()).expect("a request");
            let sent = Some(Bytes::from(body.clone()));
            let (head, received, _) = exchange(&client, request, sent).await.expect("an answer");
            assert_eq!(head.status(), StatusCode::OK, "{protocol:?}");
            assert_eq!(received.len(), body.len());
            assert!(received == body, "{protocol:?}: the body differs");
            let (_, large, _) =
                exchange(&client, get("/bytes/5000000"), None).await.expect("an answer");
            assert_eq!(large.len(), 5_000_000);
        }
    });
}

#[test]
fn grpc_trailers_come_through() {
    run(async {
        let origin = origin();
        let gateway = start(config(origin.addr(), Protocol::Http2, 1));
        let client = connect(address(&gateway)).await;
        let mut message = Vec::new();
        bulkhead_origin::feed::push_grpc_request(77, &mut message);
        let (head, body, trailers) =
            exchange(&client, grpc("/feed.v1.Feed/Get"), Some(message.into()))
                .await
                .expect("answer");
        let mut expect = Vec::new();
        bulkhead_origin::feed::push_grpc_response(77, &mut expect);
        assert_eq!((head.status(), body), (StatusCode::OK, expect));
        assert_eq!(trailers.expect("trailers")["grpc-status"], "0");
    });
}

pub(crate) fn grpc(path: &str) -> Request<()> {
    Request::post(format!("http://a.example{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .expect("a request")
}

#[test]
fn gateway_failures_are_grpc_statuses_for_grpc() {
    run(async {
        // A port on which nobody listens.
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
        let gateway = start(config(nobody.expect("a port"), Protocol::Http2, 1));
        let client = connect(address(&gateway)).await;
        let (head, _, _) =
            exchange(&client, grpc("/feed.v1.Feed/Get"), Some(Bytes::new())).await.expect("answer");
        assert_eq!(head.status(), StatusCode::OK);
        assert_eq!(head.headers()["grpc-status"], "14");
        let mut json = grpc("/feed.v1.Feed/Get");
        json.headers_mut().insert("content-type", "application/grpc+json".parse().expect("a type"));
        let (head, ..) = exchange(&client, json, Some(Bytes::new())).await.expect("an answer");
        assert_eq!(head.headers()["content-type"], "application/grpc+json");
        let (head, ..) = exchange(&client, get("/"), None).await.expect("an answer");
        assert_eq!(head.status(), StatusCode::BAD_GATEWAY);
    });
}

#[test]
fn a_grpc_deadline_ends_the_call() {
    run(async {
        let origin = origin();
        let gateway = start(config(origin.addr(), Protocol::Http2, 1));
        let client = connect(address(&gateway)).await;
        let mut request = grpc("/delay/20000");
        request.headers_mut().insert("grpc-timeout", "50m".parse().expect("a value"));
        let (head, ..) = exchange(&client, request, Some(Bytes::new())).await.expect("an answer");
        assert_eq!(head.headers()["grpc-status"], "4");
    });
}

#[test]
fn a_reset_upstream_is_a_502_and_costs_no_other_stream() {
    run(async {
        let origin = origin();
        let gateway = start(config(origin.addr(), Protocol::Http2, 1));
        let client = connect(address(&gateway)).await;
        let slow = tokio::spawn({
            let client = client.clone();
            async move { exchange(&client, get("/delay/200"), None).await }
        });
        let post = Request::post("http://a.example/reset").body(()).expect("a request");
        let (head, ..) = exchange(&client, post, None).await.expect("an answer");
        assert_eq!(head.status(), StatusCode::BAD_GATEWAY);
        let (head, ..) = slow.await.expect("no panic").expect("an answer");
        assert_eq!(head.status(), StatusCode::OK);
    });
}

#[test]
fn streams_survive_the_death_of_their_worker() {
    run(async {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let origin = origin();
            let gateway = std::sync::Arc::new(start(config(origin.addr(), protocol, 4)));
            let mut calls = Vec::new();
            for _ in 0..8 {
                let client = connect(address(&gateway)).await;
                for user in 0..20u64 {
                    let client = client.clone();
                    calls.push(tokio::spawn(async move {
                        for round in 0..20 {
                            let user = user * 100 + round;
                            let request = get(&format!("/api/v1/{user}/feed"));
                            let answer = exchange(&client, request, None).await;
                            let (head, body, _) = answer.expect("an answer");
                            assert_eq!((head.status(), body), (StatusCode::OK, feed(user)));
                            let (head, ..) =
                                exchange(&client, get("/delay/5"), None).await.expect("an answer");
                            assert_eq!(head.status(), StatusCode::OK);
                        }
                    }));
                }
            }
            let killer = {
                let gateway = gateway.clone();
                tokio::task::spawn_blocking(move || {
                    for kill in 0..12 {
                        gateway.kill_worker(kill % 4).expect("kill a worker");
                    }
                })
            };
            for call in calls {
                call.await.expect("every answer is right");
            }
            killer.await.expect("every kill succeeds");
            let totals = gateway.evacuation_totals();
            assert_eq!((totals.killed, totals.lost_connections), (12, 0), "{protocol:?}");
        }
    });
}

#[test]
fn a_drain_lets_requests_end_and_takes_no_new_ones() {
    run(async {
        let origin = origin();
        let gateway = start(config(origin.addr(), Protocol::Http2, 2));
        let at = address(&gateway);
        let client = connect(at).await;
        // The first request makes sure that the connection is up.
        exchange(&client, get("/api/v1/1/feed"), None).await.expect("an answer");
        let slow = tokio::spawn({
            let client = client.clone();
            async move { exchange(&client, get("/delay/300"), None).await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        let drained = tokio::task::spawn_blocking(move || gateway.drain(Duration::from_secs(10)));
        let (head, ..) = slow.await.expect("no panic").expect("an answer");
        assert_eq!(head.status(), StatusCode::OK);
        assert!(drained.await.expect("no panic"), "nothing was cut off");
        assert!(TcpStream::connect(at).await.is_err());
    });
}

#[test]
fn an_answer_before_the_end_of_the_request_is_no_reset() {
    run(async {
        let origin = origin();
        let gateway = start(config(origin.addr(), Protocol::Http2, 1));
        let mut client = connect(address(&gateway)).await.ready().await.expect("ready");
        let request = Request::post("http://a.example/status/404").body(()).expect("a request");
        let (response, mut stream) = client.send_request(request, false).expect("a stream");
        let response = response.await.expect("an answer");
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        stream.send_data(Bytes::from_static(b"late"), true).expect("the stream is still open");
        let mut body = response.into_body();
        while let Some(piece) = body.data().await {
            piece.expect("no reset");
        }
    });
}
