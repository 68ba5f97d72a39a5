//! What a worker takes from the heap for a request when its connections are warm: nothing. In a process
//! of its own, whose allocator counts.

#[path = "../it/support.rs"]
#[allow(dead_code, reason = "shared with the other test binary, which uses all of it")]
mod support;

mod counting;
mod feeds;
mod tokens;

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use bulkhead_config::model::Protocol as Upstream;
use bulkhead_gateway::Gateway;
use bulkhead_load::{Arrivals, Load, LoadOptions, Protocol, TargetOptions};

use feeds::{Feeds, Kind};
use support::{address, config, origin, start};
use tokens::Issuer;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// Before anything is counted: buffers have found their size, tables their capacity.
const WARM_REQUESTS: u64 = 4_000;
/// That are counted.
const REQUESTS: u64 = 2_000;
/// Over all of them: a burst that had not come before makes a buffer grow. One allocation for each request
/// would be a hundred times as many.
const ALLOCATIONS_MAX: u64 = REQUESTS / 100;
/// Whose allocations are told one by one when there are too many.
const TRACED_REQUESTS: u64 = 100;
/// For each of these parts on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
const CONNECTIONS: usize = 10;
/// Lines of a trace that say whose it is.
const FRAMES: usize = 6;

/// A load in a closed loop.
struct Case {
    name: &'static str,
    protocol: Protocol,
    upstream: Upstream,
    kind: Kind,
    streams: usize,
    /// Whether a token is asked for.
    token: bool,
}

const CASES: [Case; 4] = [
    Case {
        name: "HTTP/1.1, 10 connections",
        protocol: Protocol::Http1,
        upstream: Upstream::Http1,
        kind: Kind::Json,
        streams: 1,
        token: false,
    },
    Case {
        name: "HTTP/2, 10 connections of 8 streams",
        protocol: Protocol::Http2,
        upstream: Upstream::Http2,
        kind: Kind::Json,
        streams: 8,
        token: false,
    },
    Case {
        name: "HTTP/2, 10 connections of 8 streams, with a token",
        protocol: Protocol::Http2,
        upstream: Upstream::Http2,
        kind: Kind::Json,
        streams: 8,
        token: true,
    },
    Case {
        name: "gRPC unary, 10 connections of 8 streams",
        protocol: Protocol::Http2,
        upstream: Upstream::Http2,
        kind: Kind::Grpc,
        streams: 8,
        token: false,
    },
];

#[test]
fn a_request_takes_nothing_from_the_heap() {
    let mut over = String::new();
    eprintln!("| load | requests | allocations of the worker | per request |\n|---|---|---|---|");
    for case in &CASES {
        let (requests, allocations, traces) = measure(case);
        let each = allocations as f64 / requests as f64;
        eprintln!("| {} | {requests} | {allocations} | {each:.4} |", case.name);
        if allocations > ALLOCATIONS_MAX {
            over += &format!("{}: {allocations}, at most {ALLOCATIONS_MAX}\n{traces}", case.name);
        }
    }
    assert!(over.is_empty(), "{over}");
}

/// Requests, what the worker allocated for them, and where it came from.
fn measure(case: &Case) -> (u64, u64, String) {
    let origin = origin();
    let issuer = case.token.then(Issuer::new);
    let mut config = config(origin.addr(), case.upstream, 1);
    issuer.iter().for_each(|issuer| issuer.guard(&mut config));
    let gateway = start(config);
    counting::watch(worker());
    let target = TargetOptions {
        connections: CONNECTIONS,
        streams_max: case.streams,
        ..TargetOptions::new(address(&gateway), case.protocol)
    };
    let arrivals =
        Arrivals::Closed { in_flight: CONNECTIONS * case.streams, think: Duration::ZERO };
    let options = LoadOptions::new(target, arrivals, 10 * PATIENCE);
    let token = issuer.map(|issuer| issuer.token());
    let feeds = |_| Feeds::new(case.kind, token.clone());
    let mut load = Load::start(options, |part| Box::new(feeds(part))).expect("start the load");
    let cold = counting::count();
    go_on(&mut load, &gateway, WARM_REQUESTS);
    assert!(counting::count() > cold, "not even new connections are seen to allocate");

    let before = (finished(&gateway), counting::count());
    go_on(&mut load, &gateway, REQUESTS);
    let after = (finished(&gateway), counting::count());

    counting::trace(true);
    go_on(&mut load, &gateway, TRACED_REQUESTS);
    counting::trace(false);
    counting::watch(0);
    load.stop();
    let report = load.finish();
    assert_eq!(report.failed, 0, "{:?}", report.failure_samples);
    gateway.shutdown();
    origin.stop();
    // The kernel lists a thread for a moment longer than it can be joined.
    let began = Instant::now();
    while !workers().is_empty() {
        assert!(began.elapsed() < PATIENCE, "{:?}", workers());
    }
    (after.0 - before.0, after.1 - before.1, told())
}

/// The kernel's numbers of threads that are workers.
fn workers() -> Vec<i32> {
    let tasks = fs::read_dir("/proc/self/task").expect("threads").filter_map(Result::ok);
    let name = |task: &fs::DirEntry| fs::read_to_string(task.path().join("comm"));
    tasks
        .filter(|task| name(task).is_ok_and(|name| name.trim() == "worker-0"))
        .filter_map(|task| task.file_name().to_str()?.parse().ok())
        .collect()
}

/// The kernel's number of the only worker, once it has its name.
fn worker() -> i32 {
    let began = Instant::now();
    loop {
        let workers = workers();
        if let [worker] = workers[..] {
            return worker;
        }
        assert!(workers.is_empty() && began.elapsed() < PATIENCE, "{workers:?}");
    }
}

fn finished(gateway: &Gateway) -> u64 {
    gateway.registry().totals().exchanges_finished
}

/// Waits until so many more requests have ended.
fn go_on(load: &mut Load, gateway: &Gateway, requests: u64) {
    let (began, until) = (Instant::now(), finished(gateway) + requests);
    while finished(gateway) < until {
        assert!(began.elapsed() < PATIENCE, "the load stands still");
        load.next_row(Duration::from_millis(5));
    }
}

/// Where allocations came from, the most frequent first.
fn told() -> String {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for trace in counting::take_traces() {
        *places.entry(ours(&trace.to_string())).or_default() += 1;
    }
    let mut places: Vec<_> = places.into_iter().collect();
    places.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    places.iter().map(|(place, times)| format!("{times} times:\n{place}")).collect()
}

/// The innermost frames of a trace that are in this repository.
fn ours(trace: &str) -> String {
    let lines: Vec<&str> = trace.lines().collect();
    let frames = lines.windows(2).filter(|pair| {
        let at = pair[1].trim();
        // Those of this crate are relative to it.
        (at.starts_with("at ./src/") || at.starts_with("at /") && at.contains("/crates/"))
            && !at.contains("/tests/allocations/")
    });
    frames
        .take(FRAMES)
        .map(|pair| format!("  {}\n  {}\n", pair[0].trim(), pair[1].trim()))
        .collect()
}
