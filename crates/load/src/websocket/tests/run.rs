//! Whole runs against the origin.

use std::net::SocketAddr;
use std::time::Duration;

use bulkhead_origin::{Endpoint, Origin, OriginOptions};
use bulkhead_testkit::Authority;
use bulkhead_transport::{
    CertificatePem, ClientTls, ServerName, ServerTls, Ticketer, TlsTarget, TlsVersion,
};

use crate::{
    Answer, Arrivals, Load, LoadError, LoadOptions, LoadReport, Mismatch, Process, Protocol,
    Request, Schedule, TargetOptions, Upgrade, Workload,
};

/// Messages of different lengths, each the same for its number.
struct Echo;

impl Echo {
    fn push(number: u64, out: &mut Vec<u8>) {
        out.extend((0..number * 37 % 5_000).map(|place| (number + place) as u8));
        out.extend_from_slice(&number.to_le_bytes());
    }
}

impl Workload for Echo {
    fn prepare(&mut self, number: u64, request: &mut Request) {
        request.key = number;
        Self::push(number, &mut request.body);
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        let mut expected = Vec::new();
        Self::push(answer.key, &mut expected);
        match answer.head.status {
            101 if answer.body == expected => Ok(()),
            101 => Err(Mismatch::Body),
            _ => Err(Mismatch::Status),
        }
    }
}

fn options(address: SocketAddr, path: &str) -> LoadOptions {
    let schedule = Schedule::constant(2_000.0, Process::Constant, 1);
    let target = TargetOptions {
        connections: 4,
        websocket: Some(Upgrade::new(path, "origin.example")),
        ..TargetOptions::new(address, Protocol::WebSocket)
    };
    LoadOptions {
        timeout: Duration::from_secs(5),
        ..LoadOptions::new(target, Arrivals::Open(schedule), Duration::from_millis(200))
    }
}

fn run(options: LoadOptions) -> LoadReport {
    Load::start(options, |_| Box::new(Echo)).unwrap().finish()
}

fn origin() -> Origin {
    Origin::start(OriginOptions::default()).unwrap()
}

#[test]
fn every_message_comes_back_and_the_counts_agree_with_the_origins() {
    for threads in [1, 2] {
        let origin = origin();
        let report = run(LoadOptions { threads, ..options(origin.addr(), "/ws") });
        assert_eq!((report.ok, report.failed), (400, 0), "{:?}", report.failure_samples);
        assert_eq!(report.classes[0].statuses, [(101, 400)].into());
        assert_eq!((report.connections.opened, report.connections.lost), (4, 0));
        let stats = origin.stats();
        assert_eq!((stats.requests(Endpoint::WebSocket), stats.websocket_messages()), (4, 400));
    }
}

#[test]
fn messages_go_over_tls_as_well() {
    // ALPN of the server, of the client.
    let http1 = &[&b"http/1.1"[..]];
    let (report, messages) = run_over_tls(http1, http1).unwrap();
    assert_eq!((report.ok, report.failed), (400, 0), "{:?}", report.failure_samples);
    assert_eq!((report.connections.tls_handshakes, messages), (4, 400));
    let error = run_over_tls(&[b"h2"], &[b"h2"]).unwrap_err();
    assert!(error.to_string().contains("WebSocket needs HTTP/1.1"), "{error}");
}

fn run_over_tls(server: &[&[u8]], client: &[&[u8]]) -> Result<(LoadReport, u64), LoadError> {
    let authority = Authority::new();
    let leaf = authority.issue(&["origin.example"]);
    let certificate = CertificatePem {
        chain_pem: leaf.chain_pem.into_bytes(),
        key_pem: leaf.key_pem.into_bytes(),
    };
    let ticketer = Ticketer::new().unwrap();
    let server = ServerTls::new(vec![certificate], TlsVersion::Tls12, server, &ticketer);
    let tls = Some(server.unwrap());
    let origin = Origin::start(OriginOptions { tls, ..OriginOptions::default() }).unwrap();
    let ca = authority.certificate_pem();
    let mut options = options(origin.addr(), "/ws");
    options.targets[0].tls = Some(TlsTarget {
        config: ClientTls::new(Some(ca.as_bytes()), false, client).unwrap(),
        server_name: ServerName::try_from("origin.example").unwrap(),
    });
    let report = Load::start(options, |_| Box::new(Echo))?.finish();
    Ok((report, origin.stats().websocket_messages()))
}

#[test]
fn connections_that_have_had_their_messages_say_goodbye_and_are_replaced() {
    let origin = origin();
    let mut options = options(origin.addr(), "/ws");
    options.targets[0].connection_requests_max = Some(10);
    let report = run(options);
    assert_eq!((report.ok, report.failed), (400, 0), "{:?}", report.failure_samples);
    assert_eq!((report.connections.lost, origin.stats().websocket_messages()), (0, 400));
    assert!(report.connections.opened >= 40, "{:?}", report.connections);
    assert!(origin.stats().websocket_goodbyes() >= 36);
}

#[test]
fn a_wrong_echo_is_a_wrong_body() {
    let origin = origin();
    let report = run(options(origin.addr(), "/ws-wrong"));
    assert_eq!((report.ok, report.failed), (0, 400));
    assert_eq!(report.classes[0].failures["wrong_body"], 400);
    assert_eq!(origin.stats().websocket_messages(), 400);
}

#[test]
fn a_connection_that_ends_in_the_run_fails_what_was_in_flight_and_is_replaced() {
    for path in ["/ws-close/10", "/ws-cut/10"] {
        let origin = origin();
        let report = run(options(origin.addr(), path));
        let failures = &report.classes[0].failures;
        assert_eq!(failures.keys().copied().collect::<Vec<_>>(), ["closed"], "{path}");
        assert_eq!(report.ok + failures["closed"], 400, "{path}");
        let connections = &report.connections;
        // Each carries 10 messages at most.
        assert!(report.ok >= 10 && report.ok <= 10 * connections.opened, "{path}: {report:?}");
        assert!(connections.lost > 0 && connections.opened > 4, "{path}: {connections:?}");
    }
}

#[test]
fn a_refused_upgrade_names_the_status() {
    let origin = origin();
    for (path, text) in [
        ("/nowhere", "the WebSocket upgrade of `/nowhere` was refused with status 404"),
        ("/status/503", "the WebSocket upgrade of `/status/503` was refused with status 503"),
        ("/close", "the connection ended before its upgrade"),
    ] {
        let started = Load::start(options(origin.addr(), path), |_| Box::new(Echo));
        let error = started.unwrap_err();
        assert!(matches!(error, LoadError::Connect { tls: false, .. }), "{error:?}");
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn what_is_not_answered_in_time_ends_its_connection_and_another_takes_its_place() {
    let origin = origin();
    let mut options = options(origin.addr(), "/ws-silent");
    options.timeout = Duration::from_millis(50);
    let report = run(options);
    let failures = &report.classes[0].failures;
    assert_eq!((report.ok, report.failed), (0, 400));
    assert!(failures["timeout"] > 0, "{failures:?}");
    // While one connection goes and the next comes there may be none.
    let kinds = ["timeout", "unsent", "connect"];
    assert!(failures.keys().all(|kind| kinds.contains(kind)), "{failures:?}");
    assert!(report.connections.opened > 4 && report.connections.lost == 0);
}
