//! Evacuation of TLS: sessions in the middle of requests, of bodies and of handshakes, on both sides.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bulkhead_config::model::Protocol;
use bulkhead_gateway::Gateway;
use bulkhead_testkit::{Authority, Scratch};
use bulkhead_transport::ServerConfig;
use bytes::Bytes;
use http::Request;
use rustls::{ServerConnection, StreamOwned};

use crate::http2::{Client, exchange, get, run};
use crate::secure::{
    TlsClient, ask, connect, server_tls, tls_origin, trusting, with_tls, with_upstream_tls,
};
use crate::support::{PATIENCE, address, client, config, feed, origin, read_response, start};
use crate::tls_client;

/// Kills in the course of a test.
const KILLS: usize = 12;

/// Counts what has come, so that kills happen on the way and not before or after.
#[derive(Debug, Default)]
struct Progress(AtomicU64);

impl Progress {
    fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Waits for so much in all. Where nothing comes, that is what the test is to tell.
    fn wait_for(&self, amount: u64) {
        let started = Instant::now();
        while self.0.load(Ordering::Relaxed) < amount && started.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
    }
}

/// Kills one worker after the other, spread over `total` units of progress.
fn kill_along(gateway: &Gateway, progress: &Progress, total: u64, workers: usize) {
    for kill in 0..KILLS {
        progress.wait_for(total * (kill as u64 + 1) / (KILLS as u64 + 1));
        gateway.kill_worker(kill % workers).expect("kill a worker");
    }
}

fn check_nothing_lost(gateway: &Gateway, kills: usize, what: &str) {
    let totals = gateway.evacuation_totals();
    assert_eq!((totals.killed, totals.lost_connections), (kills as u64, 0), "{what}");
    let totals = gateway.registry().totals();
    assert_eq!((totals.exchanges_failed, totals.retries, totals.panics), (0, 0, 0), "{what}");
}

/// A body in which no two places look alike.
fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at % 251) as u8 ^ (at >> 16) as u8).collect()
}

#[test]
fn requests_in_flight_over_tls_on_both_sides_go_on() {
    for (protocol, upstream_tls) in [
        (Protocol::Http1, true),
        (Protocol::Http2, true),
        (Protocol::Http1, false),
        (Protocol::Http2, false),
    ] {
        let (authority, scratch) = (Authority::new(), Scratch::new());
        let alpn: &[u8] = if protocol == Protocol::Http2 { b"h2" } else { b"http/1.1" };
        let origin = if upstream_tls { tls_origin(&authority, &[alpn]) } else { origin() };
        let mut config = config(origin.addr(), protocol, 3);
        with_tls(&mut config, &authority, &scratch, &["a.example"]);
        if upstream_tls {
            with_upstream_tls(&mut config, &authority, &scratch);
        }
        let gateway = Arc::new(start(config));
        let tls = trusting(&authority, &[b"h2"]);
        let progress = Arc::new(Progress::default());
        let total = 4 * 6 * ROUNDS * 3;
        run(async {
            let mut calls = Vec::new();
            for number in 0..4 {
                let client = tls_client::connect(address(&gateway), &tls).await;
                for stream in 0..6 {
                    let (client, progress) = (client.clone(), progress.clone());
                    calls.push(tokio::spawn(rounds(client, progress, number * 100 + stream)));
                }
            }
            let (killed, along) = (gateway.clone(), progress.clone());
            let killer = tokio::task::spawn_blocking(move || kill_along(&killed, &along, total, 3));
            for call in calls {
                call.await.expect("every answer is right");
            }
            killer.await.expect("every kill succeeds");
        });
        let what = format!("{protocol:?}, TLS upstream: {upstream_tls}");
        check_nothing_lost(&gateway, KILLS, &what);
    }
}

const ROUNDS: u64 = 8;

/// A short answer, a late one and an echo that takes many frames both ways, again and again.
async fn rounds(client: Client, progress: Arc<Progress>, seed: u64) {
    for round in 0..ROUNDS {
        let user = seed * 10 + round;
        let answer = exchange(&client, get(&format!("/api/v1/{user}/feed")), None).await;
        assert_eq!(answer.expect("an answer").1, feed(user));
        progress.add(1);
        let (head, ..) = exchange(&client, get("/delay/5"), None).await.expect("an answer");
        assert_eq!(head.status(), 200);
        progress.add(1);
        let body = pattern(40_000 + user as usize * 7);
        let request = Request::post("http://a.example/echo").body(()).expect("a request");
        let sent = Some(Bytes::from(body.clone()));
        let (_, received, _) = exchange(&client, request, sent).await.expect("an answer");
        assert!(received == body, "an echo of {} bytes differs", body.len());
        progress.add(1);
    }
}

/// Bytes of a large download.
const LARGE: usize = 6_000_000;

/// An upstream over TLS that answers everything with the same large body.
fn large_origin(tls: Arc<ServerConfig>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        // It ends with the process: nobody connects any more.
        for socket in listener.incoming().flatten() {
            let session = ServerConnection::new(tls.clone()).expect("a session");
            std::thread::spawn(move || serve_large(StreamOwned::new(session, socket)));
        }
    });
    address
}

fn serve_large(mut stream: StreamOwned<ServerConnection, TcpStream>) {
    let body = pattern(LARGE);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n");
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read(&mut piece) {
                // The gateway is done with this connection.
                Ok(0) | Err(_) => return,
                Ok(count) => request.extend_from_slice(&piece[..count]),
            }
        }
        request.clear();
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).is_err() {
            return;
        }
    }
}

fn download(mut client: TlsClient, progress: &Progress) -> Vec<u8> {
    client.write_all(b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n").expect("write");
    let mut answer = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        let count = client.read(&mut piece).expect("more of the answer");
        assert!(count > 0, "the answer was cut off after {} bytes", answer.len());
        answer.extend_from_slice(&piece[..count]);
        progress.add(count as u64);
        if let Some(head) = answer.windows(4).take(1_000).position(|end| end == b"\r\n\r\n")
            && answer.len() >= head + 4 + LARGE
        {
            return answer.split_off(head + 4);
        }
    }
}

#[test]
fn large_downloads_over_tls_are_the_same_after_many_kills() {
    for workers in [1, 3] {
        let (authority, scratch) = (Authority::new(), Scratch::new());
        let upstream = large_origin(server_tls(&authority, &[b"http/1.1"]));
        let mut config = config(upstream, Protocol::Http1, workers);
        with_tls(&mut config, &authority, &scratch, &["a.example"]);
        with_upstream_tls(&mut config, &authority, &scratch);
        let gateway = start(config);
        let progress = Progress::default();
        let (http1, http2) = (trusting(&authority, &[b"http/1.1"]), trusting(&authority, &[b"h2"]));
        std::thread::scope(|scope| {
            let downloads: Vec<_> = (0..2)
                .map(|_| {
                    let client = connect(&gateway, &http1, "a.example");
                    scope.spawn(|| download(client, &progress))
                })
                .collect();
            let killer = scope.spawn(|| kill_along(&gateway, &progress, 2 * LARGE as u64, workers));
            run(async {
                let client = tls_client::connect(address(&gateway), &http2).await;
                let (_, body, _) = exchange(&client, get("/"), None).await.expect("an answer");
                assert!(body == pattern(LARGE), "HTTP/2, {workers} workers: the body differs");
            });
            for download in downloads {
                let body = download.join().expect("the whole answer");
                assert!(body == pattern(LARGE), "HTTP/1, {workers} workers: the body differs");
            }
            killer.join().expect("every kill succeeds");
        });
        check_nothing_lost(&gateway, KILLS, &format!("{workers} workers"));
    }
}

/// Everything that a TLS session wants to send now.
fn flight(mut write: impl FnMut(&mut Vec<u8>) -> std::io::Result<usize>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while write(&mut bytes).expect("a vector takes everything") > 0 {}
    bytes
}

/// Sends bytes in pieces, with a kill after each.
fn send_in_pieces(socket: &mut TcpStream, bytes: &[u8], mut kill: impl FnMut()) {
    for piece in bytes.chunks(bytes.len().div_ceil(5).max(1)) {
        socket.write_all(piece).expect("write");
        kill();
    }
}

#[test]
fn a_handshake_that_a_client_has_begun_is_ended_by_the_heirs() {
    for workers in [1, 2] {
        let (origin, authority, scratch) = (origin(), Authority::new(), Scratch::new());
        let mut config = config(origin.addr(), Protocol::Http2, workers);
        with_tls(&mut config, &authority, &scratch, &["a.example"]);
        let gateway = start(config);
        let tls = trusting(&authority, &[b"http/1.1"]);
        let kills = AtomicU64::new(0);
        let kill = || {
            let worker = kills.fetch_add(1, Ordering::Relaxed) as usize % workers;
            gateway.kill_worker(worker).expect("kill a worker");
        };
        for user in 0..4 {
            let TlsClient { conn: mut session, sock: mut socket } =
                connect(&gateway, &tls, "a.example");
            let hello = flight(|bytes| session.write_tls(bytes));
            send_in_pieces(&mut socket, &hello, kill);
            while session.is_handshaking() {
                assert!(session.read_tls(&mut socket).expect("the server's flight") > 0);
                session.process_new_packets().expect("a right flight");
                kill();
            }
            let finished = flight(|bytes| session.write_tls(bytes));
            send_in_pieces(&mut socket, &finished, kill);
            let mut client: TlsClient = StreamOwned::new(session, socket);
            assert_eq!(ask(&mut client, user), feed(user));
        }
        check_nothing_lost(&gateway, kills.into_inner() as usize, &format!("{workers} workers"));
        assert_eq!(gateway.registry().totals().connections_opened, 4);
    }
}

#[test]
fn a_handshake_with_an_upstream_is_ended_by_the_heirs() {
    for workers in [1, 2] {
        let (authority, scratch) = (Authority::new(), Scratch::new());
        let upstream = TcpListener::bind("127.0.0.1:0").expect("listen");
        let mut config =
            config(upstream.local_addr().expect("an address"), Protocol::Http1, workers);
        with_upstream_tls(&mut config, &authority, &scratch);
        let gateway = start(config);
        let kills = AtomicU64::new(0);
        let kill = || {
            let worker = kills.fetch_add(1, Ordering::Relaxed) as usize % workers;
            gateway.kill_worker(worker).expect("kill a worker");
        };
        let mut client = client(&gateway);
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        let (mut socket, _) = upstream.accept().expect("the gateway connects");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        kill();
        let tls = server_tls(&authority, &[b"http/1.1"]);
        let mut session = ServerConnection::new(tls).expect("a session");
        while session.is_handshaking() {
            assert!(session.read_tls(&mut socket).expect("the gateway's flight") > 0);
            session.process_new_packets().expect("a right flight");
            let answer = flight(|bytes| session.write_tls(bytes));
            send_in_pieces(&mut socket, &answer, kill);
        }
        let mut stream = StreamOwned::new(session, socket);
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("the request");
            request.push(byte[0]);
        }
        kill();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").expect("write");
        let (head, body) = read_response(&mut client);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert_eq!(body, b"hi");
        check_nothing_lost(&gateway, kills.into_inner() as usize, &format!("{workers} workers"));
    }
}
