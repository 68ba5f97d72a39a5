use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bulkhead_config::Config;
use bulkhead_message::Address;

use super::*;
use crate::{Gateway, GatewayOptions};

/// How long a worker may take to read its mail.
const PATIENCE: Duration = Duration::from_secs(30);

fn config() -> Config {
    let file = "workers: 1\nlisteners: [{address: \"127.0.0.1:0\"}]\n\
                routes: [{hostnames: [\"b.example\"], backends: [a]}]\n\
                clusters: {a: {endpoints: [\"127.0.0.1:2\"]}}\n";
    bulkhead_config::parse(file, "test.yaml").expect("a configuration").config
}

#[test]
fn nothing_keeps_a_snapshot_that_no_exchange_has() {
    let gateway = Gateway::start(config(), GatewayOptions::default()).unwrap();
    let [(_, Address::Inet(address))] = gateway.addresses()[..] else { panic!("one listener") };
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");

    let old = Arc::downgrade(gateway.shared.state().snapshot.as_ref().unwrap());
    gateway.apply(config()).unwrap();
    let begun = Instant::now();
    while old.upgrade().is_some() {
        assert!(begun.elapsed() < PATIENCE, "the old snapshot is kept");
        std::thread::yield_now();
    }
}
