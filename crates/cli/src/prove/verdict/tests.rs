use std::time::Duration;

use bulkhead_chaos::{Fault, GatewayFault, Kill, Outcome};
use bulkhead_load::{ClassReport, ConnectionReport, LoadReport, Row, Summary};

use super::*;
use crate::prove::faults::FaultEvent;
use crate::prove::link::tests::link;
use crate::prove::plan::Plan;
use crate::prove::profile::tests::quick;
use crate::prove::profile::{KillRounds, Source};
use crate::prove::storm::KillEvent;
use crate::prove::weather::{Place, Weather};

/// A small plan: one kill of one of eight workers.
pub(crate) fn plan() -> Plan {
    let mut profile = quick();
    profile.duration = Duration::from_secs(3);
    profile.kills = Some(KillRounds::every(Duration::from_secs(1)));
    profile.traffic.rate = Some(100.0);
    Plan {
        source: Source::built_in(Source::DEFAULT).unwrap(),
        declared: quick(),
        profile,
        kills: vec![Kill { at: Duration::from_secs(1), victims: vec![3] }],
        seed: 42,
        tokens: 1_000,
        against: Vec::new(),
    }
}

pub(crate) fn preflight() -> Preflight {
    Preflight { valid: 200, without_token: Some(401), tampered_token: Some(401) }
}

fn class(name: &str, ok: u64) -> ClassReport {
    ClassReport {
        name: name.to_owned(),
        sent: ok,
        ok,
        latency_ms: summary(ok),
        service_ms: summary(ok),
        ..ClassReport::default()
    }
}

fn summary(count: u64) -> Summary {
    let (min, mean) = (0.1, 0.6);
    Summary { count, min, mean, p50: 0.512, p90: 0.9, p99: 1.234, p999: 4.5, max: 9.876 }
}

fn kill() -> KillEvent {
    KillEvent {
        at_s: 1.002,
        worker: 3,
        connections_moved: 6,
        exchanges_moved: 11,
        connections_lost: 0,
        evacuation_ms: 0.42,
        came_back: true,
        back_s: Some(1.01),
        error: None,
        generation: 0,
    }
}

fn load() -> LoadReport {
    let rows = (0..3)
        .map(|second| Row {
            second,
            scheduled: 100,
            ok: 100,
            failed: 0,
            ok_by_class: vec![72, 28],
            latency_ms: summary(100),
            ..Row::default()
        })
        .collect();
    LoadReport {
        duration_s: 3.01,
        scheduled: 300,
        sent: 300,
        ok: 300,
        failed: 0,
        throughput_rps: 100.0,
        latency_ms: summary(300),
        service_ms: summary(300),
        generator_lag_ms: summary(300),
        generator_cpu_s: 0.01,
        classes: vec![class("http2", 216), class("grpc", 84)],
        rows,
        connections: ConnectionReport { opened: 32, ..ConnectionReport::default() },
        ..LoadReport::default()
    }
}

fn held() -> LoadReport {
    LoadReport {
        scheduled: 6,
        sent: 6,
        ok: 6,
        classes: vec![class("held", 6)],
        rows: Vec::new(),
        connections: ConnectionReport { opened: 2, ..ConnectionReport::default() },
        ..load()
    }
}

/// What a run of [`plan`] sees when all goes well.
pub(crate) fn storm() -> Storm {
    Storm {
        load: load(),
        held: held(),
        flood: None,
        link: None,
        congestion_control: "cubic".to_owned(),
        kills: vec![kill()],
        faults: Vec::new(),
        interrupted: false,
        began_unix: Duration::from_secs(1_000),
        evacuated_connections: 4,
        lost_connections: 0,
        workers_alive: 8,
        gateway_cpu: Duration::from_millis(3),
        rss: vec![50 << 20, 51 << 20, 51 << 20],
        rss_start: 50 << 20,
        rss_end: 51 << 20,
        oom_events: Some(0),
    }
}

fn failing(storm: &Storm, preflight: &Preflight) -> Vec<&'static str> {
    let checks = checks(storm, preflight, &plan());
    checks.iter().filter(|check| !check.pass).map(|check| check.name).collect()
}

#[test]
fn a_good_run_passes_every_check() {
    assert_eq!(failing(&storm(), &preflight()), [""; 0]);
}

#[test]
fn each_thing_that_goes_wrong_fails_its_own_check() {
    type Change = fn(&mut Storm);
    let cases: [(Change, &[&str]); 14] = [
        (|storm| storm.load.failed = 1, &["requests_failed"]),
        (|storm| storm.held.failed = 1, &["requests_failed"]),
        (|storm| (storm.load.ok, storm.held.ok) = (0, 0), &["requests_answered"]),
        (|storm| storm.load.scheduled = 90, &["requests_scheduled"]),
        (
            |storm| storm.flood = Some(LoadReport { scheduled: 10, ok: 9, failed: 1, ..load() }),
            &["flood_turned_away"],
        ),
        (|storm| storm.kills[0].exchanges_moved = 0, &["requests_carried_over"]),
        (|storm| storm.lost_connections = 1, &["connections_lost"]),
        (|storm| storm.load.connections.lost = 2, &["connections_lost_seen_by_client"]),
        (
            |storm| {
                storm.kills[0].error = Some("dying".to_owned());
                storm.kills[0].came_back = false;
            },
            &["workers_killed"],
        ),
        (|storm| storm.kills[0].came_back = false, &["workers_came_back"]),
        (|storm| storm.workers_alive = 7, &["workers_alive_at_end"]),
        (|storm| storm.load.generator_lag_ms.p99 = 101.0, &["generator_lag_p99_ms"]),
        (|storm| storm.rss_end = storm.rss_start + (65 << 20), &["rss_growth_bytes"]),
        (|storm| storm.oom_events = Some(1), &["oom_events"]),
    ];
    for (change, expected) in cases {
        let mut storm = storm();
        change(&mut storm);
        assert_eq!(failing(&storm, &preflight()), expected);
    }
    let open = Preflight { without_token: Some(200), ..preflight() };
    assert_eq!(failing(&storm(), &open), ["tokens_enforced"]);
}

#[test]
fn an_interrupted_run_passes_only_if_somebody_was_killed() {
    let early = Storm { interrupted: true, kills: Vec::new(), ..storm() };
    assert_eq!(failing(&early, &preflight()), ["workers_killed", "requests_carried_over"]);
    let later = Storm { interrupted: true, ..storm() };
    assert_eq!(failing(&later, &preflight()), [""; 0]);
}

/// A fault of a profile that did what it was to do.
pub(crate) fn fault() -> FaultEvent {
    let fault = GatewayFault::SlowLog { delay_ms: 500 };
    FaultEvent {
        id: "storm-0".to_owned(),
        kind: "gateway.slow_log",
        fault: Fault::Gateway(fault),
        at_s: 1.0,
        until_s: Some(2.0),
        took_hold: true,
        hits: 0,
        error: None,
    }
}

#[test]
fn faults_of_the_profile_must_take_hold_and_end() {
    let with = |fault| Storm { faults: vec![fault], ..storm() };
    assert_eq!(failing(&with(fault()), &preflight()), [""; 0]);
    let idle = FaultEvent { took_hold: false, ..fault() };
    assert_eq!(failing(&with(idle), &preflight()), ["faults_took_hold"]);
    let left = FaultEvent { until_s: None, ..fault() };
    assert_eq!(failing(&with(left), &preflight()), ["faults_over"]);
}

#[test]
fn a_profile_says_what_the_storm_may_cost() {
    let mut plan = plan();
    plan.profile.limits.failed_percent = 1.0;
    plan.profile.limits.p99 = Some(Duration::from_millis(1));
    let failing = |failed: u64| {
        let mut storm = storm();
        storm.load.failed = failed;
        let checks = checks(&storm, &preflight(), &plan);
        checks.into_iter().filter(|check| !check.pass).map(|check| check.name).collect::<Vec<_>>()
    };
    // Of 306 requests; 99 % of them took 1.234 ms.
    assert_eq!(failing(3), ["latency_p99_ms"]);
    assert_eq!(failing(4), ["requests_failed", "latency_p99_ms"]);
}

#[test]
fn a_storm_without_kills_is_not_asked_for_any() {
    let mut plan = plan();
    plan.profile.kills = None;
    let names: Vec<_> = checks(&storm(), &preflight(), &plan).iter().map(|c| c.name).collect();
    assert!(!names.contains(&"workers_killed") && names.contains(&"workers_alive_at_end"));
}

#[test]
fn memory_that_shrinks_has_not_grown() {
    let shrunk = Storm { rss_end: 10 << 20, ..storm() };
    assert_eq!(failing(&shrunk, &preflight()), [""; 0]);
    assert_eq!(shrunk.rss_growth(), -(40 << 20));
}

#[test]
fn a_kernel_that_does_not_count_oom_kills_has_no_such_check() {
    let silent = Storm { oom_events: None, ..storm() };
    let checks = checks(&silent, &preflight(), &plan());
    assert!(checks.iter().all(|check| check.name != "oom_events"));
}

#[test]
fn the_gravest_failure_gives_the_outcome() {
    let outcome = |change: fn(&mut Storm)| {
        let mut storm = storm();
        change(&mut storm);
        let outcome = verdict(&checks(&storm, &preflight(), &plan())).outcome();
        (outcome, outcome.exit_status())
    };
    assert_eq!(outcome(|_| ()), (Outcome::Held, 0));
    assert_eq!(outcome(|storm| storm.load.failed = 1), (Outcome::Deviated, 1));
    assert_eq!(
        outcome(|storm| (storm.load.failed, storm.kills[0].exchanges_moved) = (1, 0)),
        (Outcome::NotEffective, 2)
    );
    assert_eq!(
        outcome(|storm| (storm.load.failed, storm.kills[0].came_back) = (1, false)),
        (Outcome::RevertFailed, 3)
    );
    assert_eq!(
        outcome(|storm| storm.load.generator_lag_ms.p99 = 101.0),
        (Outcome::Infrastructure, 4)
    );
    assert_eq!(verdict(&[]).outcome(), Outcome::Infrastructure);
}

#[test]
fn a_link_that_did_nothing_is_not_effective() {
    let mut plan = plan();
    plan.profile.link = Some(Weather::at(Place::Client));
    let outcome = |link| {
        let mut storm = Storm { link, ..storm() };
        storm.load.latency_ms.p50 = 60.0;
        verdict(&checks(&storm, &preflight(), &plan)).outcome()
    };
    assert_eq!(outcome(Some(link())), Outcome::Held);
    assert_eq!(outcome(None), Outcome::Infrastructure);
    let mut idle = link();
    (idle.upstream.lost, idle.upstream.loss_percent) = (0, 0.0);
    assert_eq!(outcome(Some(idle)), Outcome::NotEffective);
    let mut lapsed = link();
    lapsed.lapsed = Some("the link does not have this fault any more".to_owned());
    assert_eq!(outcome(Some(lapsed)), Outcome::NotEffective);
    let mut left = link();
    left.reverted = Some(false);
    assert_eq!(outcome(Some(left)), Outcome::RevertFailed);
    let mut unknown = link();
    unknown.probes_held = None;
    assert_eq!(outcome(Some(unknown)), Outcome::Infrastructure);
    let mut quiet = link();
    quiet.downstream.packets = 10;
    assert_eq!(outcome(Some(quiet)), Outcome::Infrastructure);
}
