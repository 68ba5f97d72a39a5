//! Warm-up and cool-down, retries, what is dropped, several targets, lives of connections.

use std::net::Ipv4Addr;

use super::*;
use crate::Excluded;

#[test]
fn warm_up_and_cool_down_are_sent_but_counted_apart() {
    for threads in [1, 3] {
        let origin = origin();
        let options = LoadOptions {
            warmup: Duration::from_millis(100),
            cooldown: Duration::from_millis(50),
            threads,
            ..options(origin.addr(), Protocol::Http2)
        };
        let report = Load::start(options, feeds(0, "")).unwrap().finish();
        assert_eq!((report.scheduled, report.ok, report.failed), (400, 400, 0));
        let excluded = Excluded { scheduled: 300, sent: 300, ok: 300, failed: 0 };
        assert_eq!(report.excluded, excluded);
        assert_eq!(origin.stats().requests_total(), report.sent + report.excluded.sent);
        assert_eq!(report.rows.iter().map(|row| row.scheduled).sum::<u64>(), 400);
        assert_eq!(report.latency_ms.count, 400);
        assert_eq!(report.classes[0].statuses.get(&200), Some(&400));
    }
}

#[test]
fn retries_are_asked_for_and_counted_apart() {
    for retries in [0, 2] {
        let origin = origin();
        let options = LoadOptions { retries, ..options(origin.addr(), Protocol::Http2) };
        let report = Load::start(options, feeds(2, "/reset")).unwrap().finish();
        assert_eq!((report.sent, report.failed), (400, 400));
        assert_eq!(report.classes[2].failures.get("reset"), Some(&400));
        assert_eq!(report.retries, 400 * u64::from(retries));
        assert_eq!(origin.stats().requests_total(), report.sent + report.retries);
    }
}

#[test]
fn counts_agree_with_the_target_under_timeouts() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let origin = origin();
        let options =
            LoadOptions { timeout: Duration::from_millis(150), ..options(origin.addr(), protocol) };
        let report = Load::start(options, feeds(2, "/delay/60000")).unwrap().finish();
        assert_eq!((report.ok, report.failed, report.scheduled), (0, 400, 400));
        let failures = &report.classes[2].failures;
        let count = |kind| failures.get(kind).copied().unwrap_or(0);
        assert_eq!(count("timeout"), report.sent);
        assert_eq!(count("unsent") + count("connect"), report.unsent);
        assert_eq!(origin.stats().requests_total(), report.sent, "{protocol:?}");
    }
}

#[test]
fn what_does_not_fit_into_the_queue_is_dropped() {
    let origin = origin();
    let options = LoadOptions {
        timeout: Duration::from_millis(300),
        waiting_max: 5,
        ..one_stream(origin.addr())
    };
    let report = Load::start(options, feeds(2, "/delay/60000")).unwrap().finish();
    assert_eq!((report.scheduled, report.sent, report.failed), (400, report.sent, 400));
    assert!(report.dropped > 300 && report.dropped <= report.unsent, "{report:?}");
}

#[test]
fn an_answer_that_is_cut_off_is_truncated() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _request = io::Read::read(&mut stream, &mut [0; 1024]);
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
            let _closed = io::Write::write_all(&mut stream, head);
        }
    });
    let options = LoadOptions {
        arrivals: Arrivals::Open(Schedule::constant(100.0, Process::Constant, 1)),
        ..options(address, Protocol::Http1)
    };
    let report = Load::start(options, feeds(2, "/")).unwrap().finish();
    assert_eq!((report.scheduled, report.failed), (20, 20));
    assert_eq!(report.classes[2].failures.get("truncated"), Some(&20), "{report:?}");
}

#[test]
fn classes_go_to_their_targets() {
    let origins = [origin(), origin()];
    let mut options = options(origins[0].addr(), Protocol::Http2);
    options.targets.push(TargetOptions::new(origins[1].addr(), Protocol::Http1));
    options.classes[2].target = 1;
    let mixed = |_| -> Box<dyn Workload> { Box::new(Mixed(0)) };
    let report = Load::start(options, mixed).unwrap().finish();
    assert_eq!((report.ok, report.failed), (400, 0), "{:?}", report.failure_samples);
    assert_eq!(origins[0].stats().requests(Endpoint::Feed), 200);
    assert_eq!(origins[1].stats().requests(Endpoint::Status), 200);
}

/// Half feeds, half `/status/200`.
struct Mixed(u64);

impl Workload for Mixed {
    fn prepare(&mut self, number: u64, request: &mut Request) {
        self.0 = number;
        let (class, path) = if number.is_multiple_of(2) { (0, "") } else { (2, "/status/200") };
        Feeds { class, path, scratch: Vec::new() }.prepare(number, request);
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        Feeds { class: answer.class, path: "", scratch: Vec::new() }.check(answer)
    }
}

#[test]
fn connections_are_replaced_after_their_last_request() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let origin = origin();
        let mut options = options(origin.addr(), protocol);
        options.targets[0].connection_requests_max = Some(10);
        let report = Load::start(options, feeds(0, "")).unwrap().finish();
        assert_eq!((report.ok, report.failed), (400, 0), "{:?}", report.failure_samples);
        assert_eq!(report.connections.lost, 0);
        assert!(report.connections.opened >= 40, "{:?}", report.connections);
    }
}

#[test]
fn source_addresses_are_taken_in_turn() {
    let origin = origin();
    let mut options = options(origin.addr(), Protocol::Http1);
    options.targets[0].sources = [2, 3].map(|last| Ipv4Addr::new(127, 0, 0, last).into()).to_vec();
    let report = Load::start(options.clone(), feeds(0, "")).unwrap().finish();
    assert_eq!((report.ok, report.connections.opened), (400, 4));
    // An address that is not ours: no connection, and a reason.
    options.targets[0].sources = vec![Ipv4Addr::new(192, 0, 2, 1).into()];
    let error = Load::start(options, feeds(0, "")).unwrap_err();
    assert!(matches!(&error, LoadError::Connect { cause, .. } if cause.contains("address")));
}
