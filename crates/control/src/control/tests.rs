use std::sync::mpsc::channel;
use std::time::Duration;

use bulkhead_testkit::{RawClient, Scratch};

use super::*;
use crate::plane::fake::{FakePlane, Told};
use crate::store::Parsed;

const PATIENCE: Duration = Duration::from_secs(30);

fn parse(text: &str, _file: &str) -> Result<Parsed, String> {
    let workers = text.trim().parse().map_err(|_| "not a number".to_owned())?;
    let config = Config { workers: Some(workers), ..Config::default() };
    Ok(Parsed { config, warnings: Vec::new() })
}

fn admin() -> ControlOptions {
    let address = ([127, 0, 0, 1], 0).into();
    let admin = AdminOptions { address, faults: true, readiness_clusters: Vec::new() };
    ControlOptions { admin: Some(admin), ..ControlOptions::default() }
}

fn applied(source: Option<(ConfigSource, String)>) -> Applied {
    Applied {
        config: Config::default(),
        revision: 1,
        warnings: Vec::new(),
        origin: "test".to_owned(),
        source,
    }
}

fn get(address: SocketAddr, request: &str) -> String {
    let mut client = RawClient::connect(address, PATIENCE);
    client.send(format!("{request} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n"));
    String::from_utf8(client.read_to_end()).unwrap()
}

#[test]
fn admin_server_answers_until_stopped() {
    let (plane, _told) = FakePlane::new();
    let (sender, events) = channel();
    let control = Control::start(admin(), applied(None), plane, move |event| {
        let _ = sender.send(event);
    })
    .unwrap();
    let address = control.admin_address().unwrap();
    assert_eq!(events.recv_timeout(PATIENCE), Ok(Event::AdminListening { address }));

    let metrics = get(address, "GET /metrics");
    assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n"), "{metrics}");
    assert!(metrics.contains("content-type: text/plain; version=0.0.4"), "{metrics}");
    assert!(metrics.ends_with("\r\n\r\nbulkhead_build_info 1\n"), "{metrics}");

    let head = get(address, "HEAD /metrics");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");

    assert!(get(address, "GET /readyz").starts_with("HTTP/1.1 200 "));
    control.drain();
    let unready = get(address, "GET /readyz");
    assert!(unready.starts_with("HTTP/1.1 503 ") && unready.contains("draining"), "{unready}");

    let killed = get(address, "POST /workers/0/kill");
    assert!(killed.contains("\"connections_moved\": 10"), "{killed}");
    assert!(matches!(events.recv_timeout(PATIENCE), Ok(Event::WorkerKilled { worker: 0, .. })));

    control.stop();
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_fault_may_have_a_body_of_so_many_bytes() {
    let (plane, _told) = FakePlane::new();
    let control = Control::start(admin(), applied(None), plane, |_| {}).unwrap();
    let address = control.admin_address().unwrap();
    let put = |body: &str| {
        let mut client = RawClient::connect(address, PATIENCE);
        let length = body.len();
        client.send(format!(
            "PUT /faults/a HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\
             content-length: {length}\r\n\r\n"
        ));
        // The server may have answered, and closed, before all of it has left.
        let _ = client.try_send(body);
        String::from_utf8(client.read_until(b"\r\n\r\n")).unwrap()
    };
    let fault = r#"{"fault": {"http": {"goaway": {}, "percent": 1}}}"#;
    assert!(put(fault).starts_with("HTTP/1.1 201 "));
    // The same with blanks in front, up to the limit and beyond it.
    for (bytes, status) in [(64 * 1024, "200"), (64 * 1024 + 1, "413")] {
        let answer = put(&format!("{}{fault}", " ".repeat(bytes - fault.len())));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{bytes}: {answer}");
    }
    assert!(get(address, "GET /faults/a").contains("\"state\": \"active\""));
}

#[test]
fn the_admin_socket_goes_from_one_to_the_next() {
    let (plane, _told) = FakePlane::new();
    let old = Control::start(admin(), applied(None), plane, |_| {}).unwrap();
    let address = old.admin_address().unwrap();
    let options = ControlOptions { admin_socket: old.admin_socket().cloned(), ..admin() };
    let (plane, _told) = FakePlane::new();
    let new = Control::start(options, applied(None), plane, |_| {}).unwrap();
    assert_eq!(new.admin_address(), Some(address));
    old.drain();
    old.close_admin();
    // Whoever comes now may still meet the old one once, but the port is never closed.
    let ready = || get(address, "GET /readyz").starts_with("HTTP/1.1 200 ");
    assert!((0..100).any(|_| ready()));
    old.stop();
    assert!(ready());
    new.stop();
}

#[test]
fn admin_server_bounds_heads() {
    let (plane, _told) = FakePlane::new();
    let control = Control::start(admin(), applied(None), plane, |_| {}).unwrap();
    let long = "a".repeat(crate::ADMIN_HEAD_BYTES_MAX);
    let mut client = RawClient::connect(control.admin_address().unwrap(), PATIENCE);
    // The server may close before all is sent.
    let _ = client.try_send(format!("GET / HTTP/1.1\r\nhost: admin\r\nlong: {long}\r\n\r\n"));
    let answer = String::from_utf8(client.read_to_end()).unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let fields = "field: 1\r\n".repeat(crate::ADMIN_FIELDS_MAX + 1);
    let mut client = RawClient::connect(control.admin_address().unwrap(), PATIENCE);
    client.send(format!("GET / HTTP/1.1\r\nhost: admin\r\n{fields}\r\n"));
    let answer = String::from_utf8(client.read_to_end()).unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[test]
fn reload_applies_the_file() {
    let scratch = Scratch::new();
    let path = scratch.write("gateway.yaml", "1");
    let (plane, told) = FakePlane::new();
    let (sender, events) = channel();
    let source = ConfigSource { path: path.clone(), parse };
    let options = ControlOptions::default();
    let control =
        Control::start(options, applied(Some((source, "1".to_owned()))), plane, move |event| {
            let _ = sender.send(event);
        })
        .unwrap();
    assert_eq!(control.admin_address(), None);
    scratch.write("gateway.yaml", "2");
    control.reload();
    let expected = Config { workers: Some(2), ..Config::default() };
    assert_eq!(told.recv_timeout(PATIENCE), Ok(Told::Applied(Box::new(expected))));
    assert_eq!(
        events.recv_timeout(PATIENCE),
        Ok(Event::ConfigApplied { revision: 2, path, warnings: Vec::new() })
    );
}

#[test]
fn taken_address_is_an_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let options = ControlOptions {
        admin: Some(AdminOptions { address, faults: false, readiness_clusters: Vec::new() }),
        ..ControlOptions::default()
    };
    let (plane, _told) = FakePlane::new();
    let error = Control::start(options, applied(None), plane, |_| {}).unwrap_err();
    assert_eq!(error.to_string(), format!("listen on admin address {address}"));
}
