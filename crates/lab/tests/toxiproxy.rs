//! Proxies and toxics through the API, with real connections.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use bulkhead_lab::{Toxiproxy, ToxiproxyOptions};
use serde_json::{Value, json};

/// Nothing takes so long unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

fn start() -> Toxiproxy {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    Toxiproxy::start(ToxiproxyOptions { listen, ..ToxiproxyOptions::default() }).unwrap()
}

/// Status and body of a request to the API.
fn ask(server: &Toxiproxy, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let (status, text) = ask_as(server, method, path, &body.to_string(), "test");
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn ask_as(server: &Toxiproxy, method: &str, path: &str, body: &str, agent: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: x\r\nuser-agent: {agent}\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.to_ascii_lowercase().contains("x-toxiproxy-request-id: "), "{head}");
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// A server that sends back what it gets, for as many connections as come.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let (mut from, mut to) = (stream.try_clone().unwrap(), stream);
                let _ends_with_the_connection = std::io::copy(&mut from, &mut to);
                let _gone_already = to.shutdown(std::net::Shutdown::Write);
            });
        }
    });
    address
}

/// A proxy before an echo server, and its address.
fn proxied(server: &Toxiproxy) -> String {
    let body = json!({ "name": "echo", "listen": "localhost:0", "upstream": echo().to_string() });
    let (status, proxy) = ask(server, "POST", "/proxies", &body);
    assert_eq!((status, &proxy["enabled"]), (201, &json!(true)), "{proxy}");
    proxy["listen"].as_str().unwrap().to_owned()
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn round_trip(stream: &mut TcpStream) -> Duration {
    let start = Instant::now();
    stream.write_all(b"ping").unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"ping");
    start.elapsed()
}

fn add(server: &Toxiproxy, toxic: Value) {
    let (status, answer) = ask(server, "POST", "/proxies/echo/toxics", &toxic);
    assert_eq!(status, 200, "{answer}");
}

#[test]
fn bytes_pass_both_ways_and_half_closes_too() {
    let server = start();
    let mut stream = connect(&proxied(&server));
    let sent: Vec<u8> = (0..3_000_000_u32).map(|index| index as u8).collect();
    let mut writer = stream.try_clone().unwrap();
    let expected = sent.clone();
    let writing = std::thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let mut got = Vec::new();
    stream.read_to_end(&mut got).unwrap();
    writing.join().unwrap();
    assert!(got == expected);
}

#[test]
fn a_latency_acts_on_open_connections_and_is_taken_back() {
    let server = start();
    let mut stream = connect(&proxied(&server));
    round_trip(&mut stream);
    let latency = json!({ "type": "latency", "attributes": { "latency": 300 } });
    add(&server, latency);
    assert!(round_trip(&mut stream) >= Duration::from_millis(300));
    // The answer is on its way when the toxic goes: it then comes at once, and is not lost.
    stream.write_all(b"ping").unwrap();
    let (status, _) = ask(&server, "DELETE", "/proxies/echo/toxics/latency_downstream", &json!({}));
    assert_eq!(status, 204);
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    let (_, toxics) = ask(&server, "GET", "/proxies/echo/toxics", &json!({}));
    assert_eq!(toxics, json!([]));
}

#[test]
fn a_toxic_expires_by_itself() {
    let server = start();
    let mut stream = connect(&proxied(&server));
    let timeout = json!({ "type": "bandwidth", "ttl_ms": 200, "attributes": { "rate": 0 } });
    add(&server, timeout);
    // Held until the end of the toxic's life, then passed on.
    assert!(round_trip(&mut stream) >= Duration::from_millis(100));
    let (_, toxics) = ask(&server, "GET", "/proxies/echo/toxics", &json!({}));
    assert_eq!(toxics, json!([]));
}

#[test]
fn a_reset_is_one_for_the_client() {
    let server = start();
    let mut stream = connect(&proxied(&server));
    add(&server, json!({ "type": "reset_peer", "attributes": { "timeout": 0 } }));
    stream.write_all(b"ping").unwrap();
    let error = stream.read(&mut [0; 4]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_limit_cuts_after_so_many_bytes() {
    let server = start();
    let mut stream = connect(&proxied(&server));
    add(&server, json!({ "type": "limit_data", "attributes": { "bytes": 3 } }));
    stream.write_all(b"ping").unwrap();
    let mut got = Vec::new();
    stream.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"pin");
}

#[test]
fn a_disabled_proxy_is_down_and_comes_back_on_the_same_address() {
    let server = start();
    let address = proxied(&server);
    let mut stream = connect(&address);
    round_trip(&mut stream);
    let (status, proxy) = ask(&server, "POST", "/proxies/echo", &json!({ "enabled": false }));
    assert_eq!((status, &proxy["enabled"]), (200, &json!(false)));
    assert!(TcpStream::connect(&address).is_err());
    // Closed, or reset where bytes were still on the way.
    assert!(matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_)));
    let (status, proxy) = ask(&server, "PATCH", "/proxies/echo", &json!({ "enabled": true }));
    assert_eq!((status, &proxy["listen"]), (200, &json!(address)));
    round_trip(&mut connect(&address));
}

#[test]
fn a_reset_of_all_takes_every_toxic_back_also_where_data_stands_still() {
    let server = start();
    let address = proxied(&server);
    add(&server, json!({ "type": "bandwidth", "attributes": { "rate": 0 } }));
    add(
        &server,
        json!({ "type": "latency", "stream": "upstream", "attributes": { "latency": 60_000 } }),
    );
    let mut held: Vec<TcpStream> = (0..20).map(|_| connect(&address)).collect();
    for stream in &mut held {
        stream.write_all(b"ping").unwrap();
    }
    let (status, _) = ask(&server, "POST", "/reset", &json!({}));
    assert_eq!(status, 204);
    for stream in &mut held {
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"ping");
    }
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let server = start();
    let address = proxied(&server);
    let refused = |method, path, body: Value| ask(&server, method, path, &body);
    let (status, error) = refused("POST", "/proxies", json!({ "name": "x" }));
    let told = json!({ "error": "missing required field: upstream", "status": 400 });
    assert_eq!((status, error), (400, told));
    let twin = json!({ "name": "echo", "upstream": "127.0.0.1:1" });
    assert_eq!(refused("POST", "/proxies", twin).0, 409);
    let taken = json!({ "name": "y", "listen": address, "upstream": "127.0.0.1:1" });
    let (status, error) = refused("POST", "/proxies", taken);
    let text = format!("listen tcp {address}: bind: address already in use");
    assert_eq!((status, &error["error"]), (500, &json!(text)));
    assert_eq!(refused("GET", "/proxies/nobody", json!({})).0, 404);
    assert_eq!(refused("DELETE", "/proxies/echo/toxics/none", json!({})).0, 404);
    assert_eq!(refused("GET", "/nowhere", json!({})).0, 404);
    let lossy = json!({ "type": "packet_loss", "attributes": { "probability": 0.1 } });
    let (status, error) = refused("POST", "/proxies/echo/toxics", lossy);
    assert_eq!(status, 400);
    assert!(error["error"].as_str().unwrap().contains("acknowledged"), "{error}");
    for browser in ["Mozilla/5.0 (X11)", "x\r\norigin: http://a", "x\r\nsec-fetch-site: none"] {
        let (status, text) = ask_as(&server, "GET", "/proxies", "", browser);
        assert_eq!((status, text.as_str()), (403, "User agent not allowed\n"), "{browser}");
    }
    let long = format!("[{}]", " ".repeat(2 << 20));
    assert_eq!(ask_as(&server, "GET", "/version", &long, "test").0, 413);
    round_trip(&mut connect(&address));
}
