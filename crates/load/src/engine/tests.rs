use std::net::TcpListener;
use std::time::Duration;

use bulkhead_message::{Known, Method};
use bulkhead_origin::{Endpoint, Origin, OriginOptions, feed};

use super::*;
use crate::{
    Answer, Arrivals, Class, Mismatch, Process, Protocol, Random, Request, Schedule, TargetOptions,
    Workload,
};

/// Asks for feeds: class 0 as JSON, class 1 by gRPC, class 2 for whatever path it was given.
struct Feeds {
    class: usize,
    path: &'static str,
    scratch: Vec<u8>,
}

impl Workload for Feeds {
    fn prepare(&mut self, number: u64, request: &mut Request) {
        request.key = Random::new(number).below(1_000_000);
        request.class = self.class;
        request.head.set_authority(b"feed.example");
        self.scratch.clear();
        match self.class {
            0 => feed::push_json_path(request.key, &mut self.scratch),
            1 => self.scratch.extend_from_slice(feed::GRPC_PATH.as_bytes()),
            _ => self.scratch.extend_from_slice(self.path.as_bytes()),
        }
        request.head.set_target(&self.scratch);
        if self.class == 1 {
            request.head.set_method(b"POST");
            assert_eq!(request.head.method(), Method::Post);
            request.head.fields.push_known(Known::ContentType, b"application/grpc");
            request.head.fields.push_known(Known::Te, b"trailers");
            feed::push_grpc_request(request.key, &mut request.body);
        }
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        if answer.head.status != 200 {
            return Err(Mismatch::Status);
        }
        self.scratch.clear();
        match self.class {
            0 => feed::push_json(answer.key, &mut self.scratch),
            1 => feed::push_grpc_response(answer.key, &mut self.scratch),
            _ => self.scratch.extend_from_slice(answer.body),
        }
        if self.class == 1 && answer.trailers.get(Known::GrpcStatus) != Some(b"0") {
            return Err(Mismatch::GrpcStatus);
        }
        if answer.body == self.scratch { Ok(()) } else { Err(Mismatch::Body) }
    }
}

fn options(address: SocketAddr, protocol: Protocol) -> LoadOptions {
    let tick = Duration::from_micros(500);
    let schedule = Schedule::constant(2_000.0, Process::Constant, 1).with_tick(tick);
    let target = TargetOptions { connections: 4, ..TargetOptions::new(address, protocol) };
    LoadOptions {
        timeout: Duration::from_secs(5),
        classes: ["json", "grpc", "other"].map(Class::new).to_vec(),
        ..LoadOptions::new(target, Arrivals::Open(schedule), Duration::from_millis(200))
    }
}

/// As [`options`], over HTTP/2 with one connection that takes one request at a time.
fn one_stream(address: SocketAddr) -> LoadOptions {
    let mut options = options(address, Protocol::Http2);
    options.targets[0].connections = 1;
    options.targets[0].streams_max = 1;
    options
}

fn feeds(class: usize, path: &'static str) -> impl FnMut(usize) -> Box<dyn Workload> {
    move |_| Box::new(Feeds { class, path, scratch: Vec::new() })
}

fn origin() -> Origin {
    Origin::start(OriginOptions::default()).unwrap()
}

#[test]
fn every_scheduled_request_is_sent_answered_and_checked() {
    for (protocol, class, endpoint, threads) in [
        (Protocol::Http2, 0, Endpoint::Feed, 1),
        (Protocol::Http2, 1, Endpoint::GrpcGet, 1),
        (Protocol::Http1, 0, Endpoint::Feed, 1),
        (Protocol::Http2, 0, Endpoint::Feed, 2),
    ] {
        let origin = origin();
        let options = LoadOptions { threads, ..options(origin.addr(), protocol) };
        let report = Load::start(options, feeds(class, "")).unwrap().finish();
        assert_eq!(report.failed, 0, "{protocol:?} {:?}", report.failure_samples);
        assert_eq!((report.scheduled, report.sent, report.ok), (400, 400, 400), "{protocol:?}");
        assert_eq!(report.latency_ms.count, 400);
        assert_eq!(report.classes[class].ok, 400);
        assert_eq!((report.connections.opened, report.connections.lost), (4, 0));
        assert_eq!(origin.stats().requests(endpoint), 400);
        assert_eq!(report.rows.iter().map(|row| row.ok).sum::<u64>(), 400);
        assert!(report.service_ms.p50 <= report.latency_ms.max);
    }
}

#[test]
fn connections_that_have_had_their_life_are_replaced_without_a_loss() {
    for protocol in [Protocol::Http2, Protocol::Http1] {
        let origin = origin();
        let mut options = LoadOptions { ..options(origin.addr(), protocol) };
        options.targets[0].connection_life = Some(Duration::from_millis(40));
        let report = Load::start(options, feeds(0, "")).unwrap().finish();
        assert_eq!((report.ok, report.failed), (400, 0), "{:?}", report.failure_samples);
        assert!(report.connections.opened > 8, "{:?}", report.connections);
        assert_eq!(report.connections.lost, 0);
    }
}

#[test]
fn failures_are_told_apart() {
    for (protocol, path, kind) in [
        (Protocol::Http2, "/status/503", "wrong_status"),
        (Protocol::Http1, "/status/404", "wrong_status"),
        (Protocol::Http2, "/reset", "reset"),
        (Protocol::Http2, "/close", "closed"),
        (Protocol::Http1, "/close", "closed"),
    ] {
        let origin = origin();
        let report =
            Load::start(options(origin.addr(), protocol), feeds(2, path)).unwrap().finish();
        assert_eq!((report.scheduled, report.ok), (400, 0), "{path}");
        assert_eq!(report.failed, 400, "{path}");
        let failures = &report.classes[2].failures;
        assert!(failures.get(kind).is_some_and(|&count| count > 0), "{path}: {failures:?}");
        assert!(!report.failure_samples.is_empty());
        // Each lost connection is replaced, or the other requests could not have been sent.
        if kind == "closed" {
            assert!(report.connections.lost > 0 && report.connections.opened > 4, "{path}");
        }
    }
}

#[test]
fn latency_counts_from_the_intended_time_when_streams_run_out() {
    let origin = origin();
    // One stream that is busy 50 ms at a time, asked 100 times a second for 200 ms: 20 requests that
    // take 1 s together. Each service is about 50 ms, but the last request waits close to 0.8 s.
    let schedule = Schedule::constant(100.0, Process::Constant, 1);
    let options = LoadOptions { arrivals: Arrivals::Open(schedule), ..one_stream(origin.addr()) };
    let report = Load::start(options, feeds(2, "/delay/50")).unwrap().finish();
    assert_eq!((report.scheduled, report.ok), (20, 20));
    assert!(report.latency_ms.max >= 790.0, "{:?}", report.latency_ms);
    assert!(report.service_ms.p50 < report.latency_ms.p50 / 2.0, "{:?}", report.service_ms);
    assert!(report.late > 10);
}

#[test]
fn what_is_not_answered_or_not_sent_in_time_has_failed() {
    let origin = origin();
    let options = LoadOptions { timeout: Duration::from_millis(100), ..one_stream(origin.addr()) };
    let report = Load::start(options, feeds(2, "/delay/60000")).unwrap().finish();
    assert_eq!((report.ok, report.failed), (0, 400));
    assert!(report.classes[2].failures["timeout"] > 0 && report.unsent > 0);
    assert_eq!(report.sent + report.unsent, 400);
}

#[test]
fn a_closed_loop_keeps_its_number_in_flight() {
    let origin = origin();
    let options = LoadOptions {
        arrivals: Arrivals::Closed { in_flight: 8, think: Duration::ZERO },
        ..options(origin.addr(), Protocol::Http2)
    };
    let report = Load::start(options, feeds(2, "/delay/20")).unwrap().finish();
    assert_eq!(report.failed, 0);
    // 8 in flight for 20 ms each: at most 80 in 200 ms, and the last 8 after it.
    assert!((8..=88).contains(&report.ok), "{}", report.ok);
}

#[test]
fn a_run_can_be_stopped() {
    let origin = origin();
    let options = LoadOptions {
        duration: Duration::from_secs(60),
        ..options(origin.addr(), Protocol::Http2)
    };
    let mut load = Load::start(options, feeds(0, "")).unwrap();
    assert!(load.next_row(Duration::from_secs(5)).is_some_and(|row| row.ok > 0));
    load.stop();
    let report = load.finish();
    assert!(report.failed == 0 && report.duration_s < 30.0);
}

#[test]
fn an_address_where_nobody_listens_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = Load::start(options(address, Protocol::Http2), feeds(0, "")).unwrap_err();
    assert!(matches!(error, LoadError::Connect { .. }), "{error}");
}

mod journeys;
mod parts;
mod tls;
