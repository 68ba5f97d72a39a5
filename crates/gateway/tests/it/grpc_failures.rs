//! gRPC calls that fail after their answer has begun, of all four kinds: a client gets a status
//! wherever one can be told from a broken message.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_config::model::Protocol;
use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::grpc::{call, next, request, rest};
use crate::http2::{Client, connect, run};
use crate::support::{address, config, origin, start, value};

/// A whole message, and the first half of a second one.
const WHOLE: &[u8] = b"\0\0\0\0\x03abc";
const HALF: &[u8] = b"\0\0\0\0\x08half";

/// The four kinds of calls: whether the client ends its request before the call fails, and what
/// the upstream says before it does.
const KINDS: [(&str, bool, &[u8]); 4] =
    [("unary", true, b""), ("server", true, WHOLE), ("client", false, b""), ("both", false, WHOLE)];

#[derive(Clone, Copy, Debug)]
enum Death {
    Connection,
    Stream,
}

/// An upstream that begins each answer with a head and `said`, and dies when it is told.
async fn upstream(said: &'static [u8], death: Death) -> (SocketAddr, Arc<Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("an address");
    let die = Arc::new(Notify::new());
    let told = Arc::clone(&die);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(begin_answers(socket, said, death, Arc::clone(&told)));
        }
    });
    (address, die)
}

async fn begin_answers(socket: TcpStream, said: &'static [u8], death: Death, die: Arc<Notify>) {
    let mut connection = h2::server::handshake(socket).await.expect("shake hands");
    // Dropping a request's body would be an end of its stream.
    let mut streams = Vec::new();
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let Some(Ok((request, mut answer))) = accepted else { return };
                let head = Response::builder().header("content-type", "application/grpc");
                let mut body =
                    answer.send_response(head.body(()).expect("a head"), false).expect("a stream");
                if !said.is_empty() {
                    body.send_data(Bytes::from_static(said), false).expect("a stream");
                }
                streams.push((request, body));
            }
            () = die.notified() => match death {
                Death::Connection => return,
                Death::Stream => {
                    for (_, stream) in &mut streams {
                        stream.send_reset(h2::Reason::INTERNAL_ERROR);
                    }
                }
            },
        }
    }
}

async fn open(client: &Client, timeout: &str) -> (ResponseFuture, SendStream<Bytes>) {
    let head = Request::post("http://a.example/feed.v1.Feed/Any")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", timeout)
        .body(())
        .expect("a request");
    let mut client = client.clone().ready().await.expect("a ready connection");
    client.send_request(head, false).expect("an open stream")
}

/// Begins a call, and reads what the upstream says before it fails.
async fn begin(
    client: &Client,
    timeout: &str,
    ends: bool,
    said: &[u8],
) -> (RecvStream, SendStream<Bytes>) {
    let (response, mut stream) = open(client, timeout).await;
    stream.send_data(request(1), ends).expect("an open stream");
    let mut body = response.await.expect("a head").into_body();
    let mut seen = Vec::new();
    while seen.len() < said.len() {
        seen.extend_from_slice(&next(&mut body).await.expect("a message"));
    }
    assert_eq!(seen, said);
    (body, stream)
}

#[test]
fn calls_whose_upstream_dies_between_messages_end_as_unavailable() {
    run(async {
        for death in [Death::Connection, Death::Stream] {
            for (kind, ends, said) in KINDS {
                let (upstream, die) = upstream(said, death).await;
                let gateway = start(config(upstream, Protocol::Http2, 1));
                let client = connect(address(&gateway)).await;
                let (mut body, stream) = begin(&client, "1H", ends, said).await;
                die.notify_one();
                let (bytes, trailers) = rest(&mut body).await;
                assert_eq!(bytes, 0, "{kind} {death:?}");
                assert_eq!(trailers["grpc-status"], "14", "{kind} {death:?}");
                assert_eq!(trailers["grpc-message"], "the upstream failed", "{kind} {death:?}");
                drop(stream);
            }
        }
    });
}

#[test]
fn calls_beyond_their_deadline_end_as_such_after_the_last_message() {
    run(async {
        let mut calls = Vec::new();
        for (kind, ends, said) in KINDS {
            let (upstream, _) = upstream(said, Death::Connection).await;
            let gateway = start(config(upstream, Protocol::Http2, 1));
            let client = connect(address(&gateway)).await;
            let (body, stream) = begin(&client, "1S", ends, said).await;
            calls.push((kind, gateway, body, stream));
        }
        for (kind, gateway, mut body, stream) in calls {
            let (_, trailers) = rest(&mut body).await;
            assert_eq!(trailers["grpc-status"], "4", "{kind}");
            drop(stream);
            assert!(gateway.drain(crate::support::PATIENCE));
            let metrics = gateway.registry().render();
            let failures = "bulkhead_failures_total{kind=\"deadline_exceeded\"";
            assert!(metrics.contains(failures), "{kind}: {metrics}");
        }
    });
}

/// An upstream that resets each call with CANCEL when this time is over, as grpc-go does at a deadline.
async fn cancelling_upstream(after: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(socket).await.expect("shake hands");
                while let Some(Ok((_request, mut answer))) = connection.accept().await {
                    // To the moment: timers, the gateway's too, are less exact.
                    let over = Instant::now() + after;
                    tokio::spawn(async move {
                        while Instant::now() < over {
                            tokio::task::yield_now().await;
                        }
                        answer.send_reset(h2::Reason::CANCEL);
                    });
                }
            });
        }
    });
    address
}

#[test]
fn a_call_that_its_server_cancels_at_its_deadline_has_run_into_it() {
    run(async {
        let upstream = cancelling_upstream(Duration::from_millis(30)).await;
        let gateway = start(config(upstream, Protocol::Http2, 1));
        let client = connect(address(&gateway)).await;
        let mut calls = Vec::new();
        for _ in 0..64 {
            let (response, mut stream) = open(&client, "30m").await;
            stream.send_data(request(1), true).expect("an open stream");
            calls.push(response);
        }
        for call in calls {
            assert_eq!(call.await.expect("a head").headers()["grpc-status"], "4");
        }
        assert!(gateway.drain(crate::support::PATIENCE));
        assert!(!gateway.registry().render().contains("kind=\"upstream_reset\""));
    });
}

#[test]
fn a_call_that_fails_inside_a_message_is_reset() {
    run(async {
        let said: &[u8] = Box::leak([WHOLE, HALF].concat().into_boxed_slice());
        let (upstream, die) = upstream(said, Death::Connection).await;
        let gateway = start(config(upstream, Protocol::Http2, 1));
        let client = connect(address(&gateway)).await;
        let (mut body, _stream) = begin(&client, "1H", true, said).await;
        die.notify_one();
        let error = body.data().await.expect("an outcome").expect_err("no clean end");
        assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR));
    });
}

#[test]
fn a_part_of_a_message_that_the_client_has_not_seen_is_dropped() {
    run(async {
        let said: &[u8] = Box::leak([WHOLE, HALF].concat().into_boxed_slice());
        let (upstream, die) = upstream(said, Death::Connection).await;
        let gateway = start(config(upstream, Protocol::Http2, 1));
        let socket = TcpStream::connect(address(&gateway)).await.expect("connect");
        // Room for the whole message and no more.
        let (client, connection) = h2::client::Builder::new()
            .initial_window_size(WHOLE.len() as u32)
            .handshake(socket)
            .await
            .expect("shake hands");
        tokio::spawn(connection);
        let (response, mut stream) = open(&client, "1H").await;
        stream.send_data(request(1), true).expect("an open stream");
        let mut body = response.await.expect("a head").into_body();
        let first = body.data().await.expect("a message").expect("no failure");
        assert_eq!(first, WHOLE);
        die.notify_one();
        let (bytes, trailers) = rest(&mut body).await;
        assert_eq!((bytes, trailers["grpc-status"].as_bytes()), (0, &b"14"[..]));
    });
}

#[test]
fn an_answer_of_trailers_only_is_passed_on_as_one() {
    run(async {
        let origin = origin();
        let gateway = start(config(origin.addr(), Protocol::Http2, 1));
        let client = connect(address(&gateway)).await;
        let (response, mut stream) = call(&client, "Nobody").await;
        stream.send_data(request(1), true).expect("an open stream");
        let response = response.await.expect("a head");
        assert_eq!(
            (response.status().as_u16(), &response.headers()["grpc-status"]),
            (200, &"12".parse().unwrap())
        );
        assert!(response.body().is_end_stream(), "the head is all of it");
    });
}

#[test]
fn a_malformed_timeout_is_refused_before_anybody_is_asked() {
    run(async {
        let origin = origin();
        let gateway = start(config(origin.addr(), Protocol::Http2, 1));
        let client = connect(address(&gateway)).await;
        for timeout in ["1s", "", "123456789S", "-1S"] {
            let (response, _stream) = open(&client, timeout).await;
            let response = response.await.expect("a head");
            assert_eq!(response.status(), 200, "{timeout:?}");
            assert_eq!(response.headers()["grpc-status"], "13", "{timeout:?}");
            assert_eq!(response.headers()["grpc-message"], "grpc-timeout is malformed");
        }
        assert_eq!(origin.stats().requests_total(), 0);
        let sample = "bulkhead_failures_total{kind=\"bad_request\",side=\"downstream\"}";
        drop(client);
        assert!(gateway.drain(crate::support::PATIENCE));
        assert_eq!(value(&gateway.registry().render(), sample), Some(4.0));
    });
}
