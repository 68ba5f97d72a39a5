//! A gateway in front of an embedded origin.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bulkhead_config::Config;
use bulkhead_config::model::{
    Backend, Cluster, Endpoint, EndpointAddress, Listener, Protocol, Route,
};
use bulkhead_gateway::{Gateway, GatewayOptions};
use bulkhead_origin::{Origin, OriginOptions};
use bulkhead_testkit::RawClient;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn origin() -> Origin {
    Origin::start(OriginOptions::default()).expect("start the origin")
}

/// One cleartext listener, one route for everything, one cluster.
pub(crate) fn config(upstream: SocketAddr, protocol: Protocol, workers: usize) -> Config {
    let endpoint = Endpoint::new(EndpointAddress::Socket(upstream));
    let cluster = Cluster::new("origin", vec![endpoint], protocol);
    Config {
        workers: Some(workers),
        listeners: vec![Listener::new("main", ([127, 0, 0, 1], 0))],
        routes: vec![Route::new("all", vec![Backend::new("origin", 1)])],
        clusters: [("origin".to_owned(), cluster)].into(),
        ..Config::default()
    }
}

pub(crate) fn start(config: Config) -> Gateway {
    Gateway::start(config, GatewayOptions { seed: Some(7), ..GatewayOptions::default() })
        .expect("start the gateway")
}

pub(crate) fn address(gateway: &Gateway) -> SocketAddr {
    gateway.addresses()[0].1.inet().expect("an IP address")
}

pub(crate) fn client(gateway: &Gateway) -> RawClient {
    RawClient::connect(address(gateway), PATIENCE)
}

/// A response of HTTP/1.1 with a declared length: head and body.
pub(crate) fn read_response(client: &mut RawClient) -> (String, Vec<u8>) {
    let head = String::from_utf8(client.read_until(b"\r\n\r\n")).expect("an ASCII head");
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length:").map(str::to_owned)
        })
        .map_or(0, |value| value.trim().parse().expect("a length"));
    let body = client.read_exact(length);
    (head, body)
}

/// What the origin answers for a user.
pub(crate) fn feed(user: u64) -> Vec<u8> {
    let mut body = Vec::new();
    bulkhead_origin::feed::push_json(user, &mut body);
    body
}

/// The value of the sample whose name and labels are `sample`.
pub(crate) fn value(metrics: &str, sample: &str) -> Option<f64> {
    let line = metrics.lines().find(|line| line.starts_with(sample))?;
    line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok()
}

/// Waits until it holds; `what` says how it looks if it never does.
#[track_caller]
pub(crate) fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let started = std::time::Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

/// Waits until a sample has this value: a client may hear of an end before it is counted.
#[track_caller]
pub(crate) fn wait_for_value(gateway: &Gateway, sample: &str, expected: f64) {
    let started = std::time::Instant::now();
    loop {
        let metrics = gateway.registry().render();
        if value(&metrics, sample) == Some(expected) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{sample} is not {expected}: {metrics}");
        std::thread::yield_now();
    }
}

/// Memory of this process, in bytes.
pub(crate) fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("statm");
    pages.split(' ').nth(1).and_then(|word| word.parse::<u64>().ok()).expect("a number") * 4096
}

/// A frame of HTTP/2 (RFC 9113 §4.1).
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Reads a request of HTTP/1.1 without a body, as an upstream.
pub(crate) fn read_request(socket: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).expect("a request");
        request.push(byte[0]);
    }
}
