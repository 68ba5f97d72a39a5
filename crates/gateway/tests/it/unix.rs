//! Unix sockets, on both sides.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use bulkhead_config::model::{EndpointAddress, Protocol};
use bulkhead_message::UnixName;
use bulkhead_testkit::Scratch;

use crate::support::{PATIENCE, config, start};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn name(path: &Path) -> UnixName {
    UnixName::parse(path.to_str().expect("a path of text")).expect("a name")
}

/// Answers every request, and says what it read.
fn upstream(path: &Path, connections: usize) -> std::thread::JoinHandle<Vec<String>> {
    let listener = UnixListener::bind(path).expect("listen");
    std::thread::spawn(move || {
        let mut heads = Vec::new();
        for _ in 0..connections {
            let (mut socket, _) = listener.accept().expect("accept");
            socket.set_read_timeout(Some(PATIENCE)).expect("set a time-out");
            let mut head = Vec::new();
            let mut byte = [0];
            while socket.read(&mut byte).is_ok_and(|count| count == 1) {
                head.push(byte[0]);
                if head.ends_with(b"\r\n\r\n") {
                    socket.write_all(ANSWER).expect("answer");
                    heads.push(String::from_utf8(std::mem::take(&mut head)).expect("text"));
                }
            }
        }
        heads
    })
}

fn get(path: &Path) -> String {
    let mut client = UnixStream::connect(path).expect("connect");
    client.set_read_timeout(Some(PATIENCE)).expect("set a time-out");
    let request =
        "GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 192.0.2.1\r\nconnection: close\r\n\r\n";
    client.write_all(request.as_bytes()).expect("send");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn requests_go_from_a_unix_socket_to_a_unix_socket() {
    let scratch = Scratch::new();
    let (front, back) = (scratch.path().join("front.sock"), scratch.path().join("back.sock"));
    let origin = upstream(&back, 1);
    let mut config = config(([127, 0, 0, 1], 1).into(), Protocol::Http1, 1);
    config.listeners[0].address = name(&front).into();
    config.listeners[0].socket_mode = Some(0o600);
    for cluster in config.clusters.values_mut() {
        cluster.endpoints[0].address = EndpointAddress::Unix(name(&back));
    }
    let gateway = start(config.clone());
    assert!(get(&front).starts_with("HTTP/1.1 200"));
    // A listener that stays keeps its socket, and a worker's successor takes it over.
    gateway.apply(config).expect("apply");
    gateway.kill_worker(0).expect("kill the worker");
    assert!(get(&front).starts_with("HTTP/1.1 200"));
    assert!(gateway.drain(PATIENCE));
    assert!(!front.exists());
    drop(gateway);
    let heads = origin.join().expect("the upstream");
    assert_eq!(heads.len(), 2);
    for head in heads {
        assert!(head.contains("x-forwarded-for: 192.0.2.1\r\n"), "{head}");
    }
}

#[test]
fn all_workers_share_one_unix_socket_and_its_queue_outlives_each() {
    let origin = crate::support::origin();
    let scratch = Scratch::new();
    let path = scratch.path().join("shared.sock");
    let mut config = config(origin.addr(), Protocol::Http1, 3);
    config.listeners[0].address = name(&path).into();
    let gateway = start(config);
    for worker in 0..3 {
        let answers: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || get(&path))
            })
            .collect();
        gateway.kill_worker(worker).expect("kill a worker");
        for answer in answers {
            let answer = answer.join().expect("a client");
            assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
        }
    }
    assert_eq!(gateway.evacuation_totals().lost_connections, 0);
}
