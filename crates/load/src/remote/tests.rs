use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bulkhead_origin::{Endpoint, Origin, OriginOptions, feed};
use hdrhistogram::Histogram;

use super::frame::Frames;
use super::wire::{Order, Told};
use super::*;
use crate::tally::{Slice, Tally, histogram};
use crate::{
    Answer, Arrivals, LoadOptions, Mismatch, Outcome, Process, Protocol, Random, Request, Schedule,
    TargetOptions, Workload,
};

const SECRET: &[u8] = b"a secret of 24 letters..";
const WAIT: Duration = Duration::from_secs(10);

/// Asks for feeds, and notes the numbers that it was asked for.
struct Feeds {
    scratch: Vec<u8>,
    numbers: Arc<Mutex<Vec<u64>>>,
}

impl Workload for Feeds {
    fn prepare(&mut self, number: u64, request: &mut Request) {
        self.numbers.lock().unwrap().push(number);
        request.key = number;
        request.head.set_authority(b"feed.example");
        self.scratch.clear();
        feed::push_json_path(number, &mut self.scratch);
        request.head.set_target(&self.scratch);
    }

    fn check(&mut self, answer: &Answer<'_>) -> Result<(), Mismatch> {
        self.scratch.clear();
        feed::push_json(answer.key, &mut self.scratch);
        if answer.body == self.scratch { Ok(()) } else { Err(Mismatch::Body) }
    }
}

fn options(address: std::net::SocketAddr, rate: f64, duration: Duration) -> LoadOptions {
    let target = TargetOptions { connections: 4, ..TargetOptions::new(address, Protocol::Http2) };
    let schedule = Schedule::constant(rate, Process::Constant, 1);
    LoadOptions {
        threads: 2,
        timeout: Duration::from_secs(5),
        ..LoadOptions::new(target, Arrivals::Open(schedule), duration)
    }
}

/// An agent on this machine that runs `options`, whatever the job says.
fn agent(options: &LoadOptions, secret: Option<&[u8]>, numbers: &Arc<Mutex<Vec<u64>>>) -> Agent {
    agent_for(options, secret, numbers, AllowedTargets::default())
}

fn agent_for(
    options: &LoadOptions,
    secret: Option<&[u8]>,
    numbers: &Arc<Mutex<Vec<u64>>>,
    allowed: AllowedTargets,
) -> Agent {
    let (options, numbers) = (options.clone(), Arc::clone(numbers));
    let build = move |job: &Job| {
        if job.arguments.is_empty() {
            return Err("the job has no arguments".into());
        }
        let numbers = Arc::clone(&numbers);
        Ok(Plan {
            options: options.clone(),
            workload: Box::new(move |_| {
                Box::new(Feeds { scratch: Vec::new(), numbers: Arc::clone(&numbers) })
            }),
            doubts: Box::new(|| vec!["a doubt\u{1b}[2J".to_owned()]),
        })
    };
    let agent_options = AgentOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        secret: secret.map(|secret| Secret::new(secret).unwrap()),
        allowed,
    };
    Agent::start(agent_options, build, |_| {}).unwrap()
}

fn coordinator(agents: &[String], secret: Option<&[u8]>) -> CoordinatorOptions {
    let secret = secret.map(|secret| Secret::new(secret).unwrap());
    CoordinatorOptions { agents: agents.to_vec(), secret }
}

fn names(agents: &[&Agent]) -> Vec<String> {
    agents.iter().map(|agent| agent.address().to_string()).collect()
}

fn job() -> Job {
    Job {
        arguments: vec!["h2c://feed.example/".to_owned(), "--rate".to_owned()],
        files: [("body.bin".to_owned(), vec![0, 255, 7])].into(),
        seed: u64::MAX,
    }
}

fn error_of(result: Result<(crate::Load, Agents), RemoteError>) -> String {
    agent::chain(&result.unwrap_err())
}

#[test]
fn two_agents_are_one_load() {
    let origin = Origin::start(OriginOptions::default()).unwrap();
    let options = options(origin.addr(), 1_000.0, Duration::from_millis(1_400));
    let numbers = Arc::default();
    let agents = [&options; 2].map(|options| agent(options, Some(SECRET), &numbers));
    let coordinator = coordinator(&names(&[&agents[0], &agents[1]]), Some(SECRET));
    // Twice: an agent is free again as soon as the run is over.
    for round in 1..=2 {
        numbers.lock().unwrap().clear();
        let (load, members) = start(&coordinator, &job(), options.clone()).unwrap();
        let report = load.finish();
        assert_eq!((report.scheduled, report.sent, report.ok), (1_400, 1_400, 1_400));
        assert_eq!(report.failed, 0, "{:?}", report.failure_samples);
        assert_eq!(origin.stats().requests(Endpoint::Feed), 1_400 * round);
        assert_eq!((report.latency_ms.count, report.generator_lag_ms.count), (1_400, 1_400));
        assert_eq!(report.connections.opened, 4);
        assert_eq!(report.rows.iter().map(|row| row.ok).sum::<u64>(), 1_400);
        assert_eq!(report.rows[0].second, 0);
        // Each request has a number of its own, over all agents.
        let mut numbers = numbers.lock().unwrap().clone();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..1_400).collect::<Vec<_>>());

        let told = members.reports();
        assert_eq!(told.iter().map(|agent| agent.threads).collect::<Vec<_>>(), [2, 2]);
        assert_eq!(told.iter().map(|agent| agent.ok).collect::<Vec<_>>(), [700, 700]);
        assert!(told.iter().all(|agent| agent.lost.is_none() && agent.rtt_ms > 0.0));
        assert!(told.iter().all(|agent| agent.start_skew_ms_max.is_finite()));
        // Nothing that an agent says moves the cursor.
        let reasons = members.invalid_reasons();
        assert!(reasons[0].ends_with(": a doubt [2J"), "{reasons:?}");
    }
}

/// An agent by the book: does what the script says once it is told to start.
fn scripted(script: impl FnOnce(&mut Frames) + Send + 'static) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = listener.local_addr().unwrap().to_string();
    let thread = std::thread::spawn(move || {
        let mut frames = Frames::new(listener.accept().unwrap().0).unwrap();
        handshake::accept(&mut frames, None).unwrap();
        loop {
            match frames.receive(JOB_BYTES_MAX, WAIT).unwrap() {
                Order::Job(wire) => {
                    assert_eq!(wire.into_job().unwrap(), job());
                    frames.send(&Told::Planned { threads: 1, classes: 1 }).unwrap();
                }
                Order::Prepare { .. } => frames.send(&Told::Ready).unwrap(),
                Order::Ping => frames.send(&Told::Pong).unwrap(),
                Order::Start { .. } => {
                    frames.send(&Told::Starting).unwrap();
                    return script(&mut frames);
                }
                Order::Stop | Order::Alive => {}
            }
        }
    });
    (name, thread)
}

/// Latencies that a seed gives.
fn latencies(seed: u64) -> Histogram<u64> {
    let (mut random, mut latencies) = (Random::new(seed), histogram());
    for _ in 0..5_000 {
        let us = -(1.0 - random.unit()).ln() * 1_000.0 * seed as f64;
        latencies.saturating_record(us as u64 + 1);
    }
    latencies
}

fn second(number: u64, seed: u64) -> Told {
    let mut slice = Slice::new(number, 1);
    slice.latency = latencies(seed);
    slice.ok = vec![slice.latency.len()];
    slice.outcomes[Outcome::Ok as usize] = slice.latency.len();
    Told::Second(Box::new(slice))
}

fn done(seed: u64) -> Told {
    let mut tally = Tally::new(1, 0..1_000);
    tally.classes[0].latency = latencies(seed);
    tally.classes[0].outcomes[Outcome::Ok as usize] = 5_000;
    tally.classes[0].statuses.insert(200, 5_000);
    tally.scheduled = 5_000;
    Told::Done { tally: Box::new(tally), doubts: Vec::new() }
}

fn nowhere() -> LoadOptions {
    options("127.0.0.1:1".parse().unwrap(), 1.0, Duration::from_secs(3))
}

#[test]
fn histograms_are_merged_count_by_count() {
    let agents = [3, 40].map(|seed| {
        scripted(move |frames| {
            frames.send(&second(0, seed)).unwrap();
            frames.send(&second(1, seed + 1)).unwrap();
            frames.send(&done(seed + 2)).unwrap();
        })
    });
    let coordinator = coordinator(&[agents[0].0.clone(), agents[1].0.clone()], None);
    let (mut load, members) = start(&coordinator, &job(), nowhere()).unwrap();
    for (first, other) in [(3, 40), (4, 41)] {
        let row = load.next_row(WAIT).unwrap().clone();
        let mut by_hand = latencies(first);
        by_hand.add(latencies(other)).unwrap();
        assert_eq!(load.last_latencies().0, by_hand);
        assert_eq!(row.latency_ms, crate::Summary::of(&by_hand));
        assert_eq!(row.ok, 10_000);
    }
    let report = load.finish();
    let mut by_hand = latencies(5);
    by_hand.add(latencies(42)).unwrap();
    assert_eq!(report.latency.0, by_hand);
    for quantile in [0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0] {
        let value = |of: &Histogram<u64>| of.value_at_quantile(quantile);
        assert_eq!(value(&report.latency.0), value(&by_hand), "{quantile}");
    }
    assert!((report.latency.0.mean() - by_hand.mean()).abs() < 1e-9);
    assert_eq!(report.classes[0].statuses[&200], 10_000);
    assert!(members.invalid_reasons().is_empty());
    agents.into_iter().for_each(|(_, thread)| thread.join().unwrap());
}

#[test]
fn an_agent_that_is_lost_is_named_and_the_others_stay() {
    type Script = fn(&mut Frames);
    let scripts: [(Script, &str); 5] = [
        (|frames| frames.send(&second(1_000, 1)).unwrap(), "out of place"),
        (|_| {}, "closed the connection"),
        // The same second twice.
        (|frames| frames.send(&second(0, 1)).unwrap(), "out of place"),
        (|frames| frames.send(&Told::Pong).unwrap(), "`pong` came out of place"),
        (
            |frames| frames.send(&vec!["x".repeat(100); SEEN_BYTES_MAX / 100]).unwrap(),
            "is the limit",
        ),
    ];
    for (script, expected) in scripts {
        let good = scripted(|frames| {
            for number in 0..3 {
                frames.send(&second(number, 3)).unwrap();
            }
            frames.send(&done(3)).unwrap();
        });
        let bad = scripted(move |frames| {
            frames.send(&second(0, 40)).unwrap();
            script(frames);
        });
        let coordinator = coordinator(&[good.0.clone(), bad.0.clone()], None);
        let (mut load, members) = start(&coordinator, &job(), nowhere()).unwrap();
        let rows: Vec<u64> = std::iter::from_fn(|| Some(load.next_row(WAIT)?.ok)).collect();
        assert_eq!(rows, [10_000, 5_000, 5_000], "{expected}");
        let report = load.finish();
        assert_eq!((report.ok, report.scheduled), (5_000, 5_000));
        assert_eq!(report.latency.0, latencies(3));
        let reasons = members.invalid_reasons();
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        assert!(reasons[0].contains(&bad.0) && reasons[0].contains(expected), "{reasons:?}");
        assert!(members.reports()[0].lost.is_none());
        good.1.join().unwrap();
        // It may have failed on the connection that we closed.
        let _either = bad.1.join();
    }
}

#[test]
fn an_agent_may_end_while_others_load() {
    let origin = Origin::start(OriginOptions::default()).unwrap();
    let options = options(origin.addr(), 500.0, Duration::from_secs(60));
    let numbers = Arc::default();
    let [stays, goes] = [&options; 2].map(|options| agent(options, None, &numbers));
    let coordinator = coordinator(&names(&[&stays, &goes]), None);
    let (mut load, members) = start(&coordinator, &job(), options).unwrap();
    assert!(load.next_row(WAIT).is_some_and(|row| row.ok > 0));
    let gone = goes.address().to_string();
    drop(goes);
    // Seconds are complete without it.
    assert!(load.next_row(WAIT).is_some() && load.next_row(WAIT).is_some());
    load.stop();
    let report = load.finish();
    assert!(report.ok > 0 && report.failed == 0, "{:?}", report.failure_samples);
    let reasons = members.invalid_reasons();
    assert!(reasons.iter().any(|reason| reason.contains(&gone)), "{reasons:?}");
    assert_eq!(members.reports()[0].ok, report.ok);
}

#[test]
fn an_agent_serves_one_coordinator_and_stops_without_it() {
    let origin = Origin::start(OriginOptions::default()).unwrap();
    let options = options(origin.addr(), 500.0, Duration::from_secs(60));
    let agent = agent(&options, None, &Arc::default());
    let coordinator = coordinator(&names(&[&agent]), None);
    let (load, _) = start(&coordinator, &job(), options.clone()).unwrap();
    let error = error_of(start(&coordinator, &job(), options.clone()));
    assert!(error.contains("serves another coordinator"), "{error}");
    drop(load);
    let (load, members) = start(&coordinator, &job(), options).unwrap();
    load.stop();
    load.finish();
    assert!(members.reports()[0].lost.is_none());
}

#[test]
fn what_an_agent_refuses_is_told_with_its_name() {
    let origin = Origin::start(OriginOptions::default()).unwrap();
    let good = options(origin.addr(), 100.0, Duration::from_millis(100));
    let numbers = Arc::default();
    let plain = agent(&good, None, &numbers);
    let name = plain.address().to_string();

    let empty = Job::default();
    let error =
        error_of(start(&coordinator(std::slice::from_ref(&name), None), &empty, good.clone()));
    assert!(error.contains(&name) && error.contains("has no arguments"), "{error}");

    let mut classes = good.clone();
    classes.classes.push(crate::Class::new("another"));
    let error = error_of(start(&coordinator(std::slice::from_ref(&name), None), &job(), classes));
    assert!(error.contains("1 classes of requests there and to 2 here"), "{error}");

    let twice = coordinator(&[name.clone(), name.clone()], None);
    let error = error_of(start(&twice, &job(), good.clone()));
    assert!(error.contains("named twice"), "{error}");
    let error = error_of(start(&coordinator(&[], None), &job(), good.clone()));
    assert!(error.contains("0 agents"), "{error}");

    let locked = agent(&good, Some(SECRET), &numbers);
    let wrong = coordinator(&names(&[&locked]), Some(b"another secret of letters"));
    let error = error_of(start(&wrong, &job(), good.clone()));
    assert!(error.contains("not the same"), "{error}");

    let allowed = AllowedTargets::parse(&["10.0.0.0/8".to_owned()]).unwrap();
    let limited = agent_for(&good, None, &numbers, allowed);
    let error = error_of(start(&coordinator(&names(&[&limited]), None), &job(), good.clone()));
    assert!(error.contains("no target that the agent may load"), "{error}");

    // Nobody listens where the load should go.
    let dead = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let bad = agent(&options(dead, 100.0, Duration::from_millis(100)), None, &numbers);
    let error = error_of(start(&coordinator(&names(&[&bad]), None), &job(), good));
    assert!(error.contains(&format!("connect to {dead}")) || error.contains("refuse"), "{error}");
    assert!(numbers.lock().unwrap().is_empty());
    assert_eq!(origin.stats().requests_total(), 0);
}

#[test]
fn an_agent_without_a_secret_listens_on_this_machine_alone() {
    for (listen, secret, starts) in [
        ("0.0.0.0:0", false, false),
        ("[::]:0", false, false),
        ("0.0.0.0:0", true, true),
        ("127.0.0.1:0", false, true),
    ] {
        let options = AgentOptions {
            listen: listen.parse().unwrap(),
            secret: secret.then(|| Secret::new(SECRET).unwrap()),
            allowed: AllowedTargets::default(),
        };
        let started = Agent::start(options, |_| Err("no".into()), |_| {});
        assert_eq!(started.is_ok(), starts, "{listen}");
        if let Err(error) = started {
            assert!(matches!(error, AgentError::Open(_)), "{error}");
        }
    }
}

#[test]
fn what_a_thread_has_seen_survives_the_way() {
    let mut tally = Tally::new(2, 0..1_000);
    tally.classes[1].latency = latencies(7);
    tally.classes[1].statuses.insert(503, 9);
    tally.lag.saturating_record(3);
    tally.connections.opened = 12;
    tally.cpu_ns = 1 << 40;
    let bytes = serde_json::to_vec(&tally).unwrap();
    let copy: Tally = decode::decode(&bytes).unwrap();
    assert_eq!(copy.classes[1].latency, tally.classes[1].latency);
    assert_eq!(copy.classes[1].statuses, tally.classes[1].statuses);
    assert_eq!((copy.lag.len(), copy.connections.opened, copy.cpu_ns), (1, 12, 1 << 40));
    let (mean, copied) = (tally.classes[1].latency.mean(), copy.classes[1].latency.mean());
    assert!((mean - copied).abs() < 1e-9);

    // Numbers that would overflow a sum are refused, in histograms as well.
    for (from, to) in [("\"scheduled\":0", "\"scheduled\":72057594037927937"), ("[3,1]", "[3,-1]")]
    {
        let text = String::from_utf8(bytes.clone()).unwrap().replacen(from, to, 1);
        assert!(matches!(decode::decode::<Tally>(text.as_bytes()), Err(WireError::Numbers)));
    }
    let text = String::from_utf8(bytes).unwrap().replacen("[3,1]", "[999999999999,1]", 1);
    assert!(matches!(decode::decode::<Tally>(text.as_bytes()), Err(WireError::Message(_))));
}
