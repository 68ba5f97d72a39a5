//! Rows of failures, lengths of ejections, and what counts as a failure.

use std::time::{Duration, Instant};

use bulkhead_message::{Failure, FailureKind, Retry};

use super::{AttemptOutcome, EjectionSettings, FailurePercentage, Health, ServerErrors};
use crate::{Balance, Cluster, ClusterSettings, EndpointSpec, PickHints, Protocol, Rng};

const SECOND: Duration = Duration::from_secs(1);

const SETTINGS: EjectionSettings =
    EjectionSettings { consecutive_failures: 3, ..EjectionSettings::DEFAULT };

fn cluster(endpoints: u16, settings: EjectionSettings) -> Cluster<u32> {
    let specs: Vec<_> =
        (1..=endpoints).map(|port| EndpointSpec::new(([127, 0, 0, 1], port))).collect();
    let settings =
        ClusterSettings { ejection: Some(settings), ..ClusterSettings::new(Protocol::Http2) };
    Cluster::new(&settings, &specs)
}

#[test]
fn only_failures_in_a_row_eject() {
    let now = Instant::now();
    // S: success, F: failure, N: neutral. Whether the last attempt ejects.
    for (attempts, ejects) in [
        ("FFF", true),
        ("FF", false),
        ("FFSF", false),
        ("FFSFFF", true),
        ("FFNF", true),
        ("NNNNN", false),
        ("SSSS", false),
    ] {
        let mut cluster = cluster(2, SETTINGS);
        let id = cluster.endpoints().next().unwrap().id;
        let last = attempts.chars().map(|attempt| {
            let outcome = match attempt {
                'S' => AttemptOutcome::Success,
                'F' => AttemptOutcome::Failure,
                _ => AttemptOutcome::Neutral,
            };
            cluster.finished(id, now, outcome)
        });
        assert_eq!(last.last().unwrap().is_some(), ejects, "{attempts}");
    }
}

#[test]
fn repeated_ejections_grow_and_are_forgotten() {
    // Pause in service before each ejection, and the length in seconds that follows.
    for (pauses, lengths) in [
        (&[0, 0, 0, 0][..], &[30, 60, 90, 120][..]),
        (&[0, 29, 29], &[30, 60, 90]),
        (&[0, 0, 30, 0], &[30, 60, 60, 90]),
        (&[0, 3_600], &[30, 30]),
        (&[0; 12], &[30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]),
    ] {
        let mut now = Instant::now();
        let mut health = Health::default();
        let mut got = Vec::new();
        for &pause in pauses {
            now += SECOND * pause;
            let length = health.eject(now, &SETTINGS);
            got.push(length.as_secs());
            now += length;
            assert!(health.return_at(now));
        }
        assert_eq!(got, lengths, "pauses {pauses:?}");
    }
}

#[test]
fn an_ejected_endpoint_returns_when_its_time_is_over() {
    let start = Instant::now();
    let mut rng = Rng::new(5);
    let mut cluster = cluster(2, SETTINGS);
    let ids: Vec<_> = cluster.endpoints().map(|e| e.id).collect();
    for _ in 0..3 {
        cluster.finished(ids[0], start, AttemptOutcome::Failure);
    }
    let mut picked_at = |offset: Duration| {
        let picks: Vec<_> = (0..50)
            .filter_map(|_| cluster.pick(start + offset, &mut rng, PickHints::NONE))
            .collect();
        (picks.contains(&ids[0]), picks.contains(&ids[1]))
    };
    assert_eq!(picked_at(Duration::ZERO), (false, true));
    assert_eq!(picked_at(SECOND * 30 - Duration::from_nanos(1)), (false, true));
    assert_eq!(picked_at(SECOND * 30), (true, true));
    // Back in service it takes a whole row of failures again.
    let later = start + SECOND * 31;
    assert_eq!(cluster.finished(ids[0], later, AttemptOutcome::Failure), None);
    assert_eq!(cluster.finished(ids[0], later, AttemptOutcome::Failure), None);
    assert_eq!(cluster.finished(ids[0], later, AttemptOutcome::Failure), Some(SECOND * 60));
}

#[test]
fn never_more_than_the_share_is_ejected() {
    let now = Instant::now();
    for (endpoints, percent_max, expect) in
        [(1, 50, 0), (2, 50, 1), (3, 50, 1), (10, 50, 5), (10, 25, 2), (1, 100, 1), (4, 0, 0)]
    {
        let settings = EjectionSettings { consecutive_failures: 1, percent_max, ..SETTINGS };
        let mut cluster = cluster(endpoints, settings);
        let ids: Vec<_> = cluster.endpoints().map(|e| e.id).collect();
        let ejected = ids
            .iter()
            .filter(|&&id| cluster.finished(id, now, AttemptOutcome::Failure).is_some())
            .count();
        assert_eq!(ejected, expect, "{endpoints} endpoints, {percent_max} %");
        let shown = cluster.endpoints().filter(|e| e.ejected_until.is_some()).count();
        assert_eq!(shown, expect);
    }
}

#[test]
fn switching_ejection_off_returns_everybody() {
    let now = Instant::now();
    let mut cluster = cluster(2, EjectionSettings { consecutive_failures: 1, ..SETTINGS });
    let ids: Vec<_> = cluster.endpoints().map(|e| e.id).collect();
    assert!(cluster.finished(ids[0], now, AttemptOutcome::Failure).is_some());
    let off = ClusterSettings { ejection: None, ..ClusterSettings::new(Protocol::Http2) };
    cluster.update_settings(&off, now);
    assert!(cluster.endpoints().all(|e| e.ejected_until.is_none()));
    assert_eq!(cluster.finished(ids[0], now, AttemptOutcome::Failure), None);
}

#[test]
fn outcomes_follow_status_and_failure() {
    let all: ServerErrors = (500..=599).collect();
    // Status; whether it counts as a failure by default, and when all errors of servers do.
    for (status, by_default, with_all) in [
        (200, false, false),
        (404, false, false),
        (429, false, false),
        (500, false, true),
        (501, false, true),
        (502, true, true),
        (503, true, true),
        (504, true, true),
        (505, false, true),
        (599, false, true),
    ] {
        let outcome = AttemptOutcome::of_status(status);
        assert_eq!(outcome.is_failure(ServerErrors::OF_GATEWAYS), by_default, "{status}");
        assert_eq!(outcome.is_failure(all), with_all, "{status}");
    }
    for (grpc_status, expect) in [
        (0, AttemptOutcome::Success),
        (2, AttemptOutcome::ServerError(500)),
        (4, AttemptOutcome::Success),
        (5, AttemptOutcome::Success),
        (13, AttemptOutcome::ServerError(500)),
        (14, AttemptOutcome::ServerError(503)),
    ] {
        assert_eq!(AttemptOutcome::of_grpc_status(grpc_status), expect, "gRPC {grpc_status}");
    }
    let upstream = |kind| Failure::upstream(kind, Retry::Always, "");
    for (failure, expect) in [
        (upstream(FailureKind::Connect), AttemptOutcome::Failure),
        (upstream(FailureKind::UpstreamReset), AttemptOutcome::Failure),
        (upstream(FailureKind::HeadTimeout), AttemptOutcome::Failure),
        (upstream(FailureKind::UpstreamRefused), AttemptOutcome::Neutral),
        (upstream(FailureKind::DeadlineExceeded), AttemptOutcome::Neutral),
        (upstream(FailureKind::IdleTimeout), AttemptOutcome::Neutral),
        (Failure::downstream(FailureKind::ClientAborted, ""), AttemptOutcome::Neutral),
        (Failure::gateway(FailureKind::Overloaded, ""), AttemptOutcome::Neutral),
    ] {
        assert_eq!(AttemptOutcome::of_failure(&failure), expect, "{failure:?}");
    }
}

#[test]
fn an_ejection_that_may_not_be_leaves_turns_as_they_are() {
    let specs = [(1, 2), (2, 1), (3, 1)]
        .map(|(port, weight)| EndpointSpec { weight, ..EndpointSpec::new(([127, 0, 0, 1], port)) });
    let ejection =
        EjectionSettings { consecutive_failures: 1, percent_max: 0, ..EjectionSettings::DEFAULT };
    let settings = ClusterSettings {
        balance: Balance::RoundRobin,
        ejection: Some(ejection),
        ..ClusterSettings::new(Protocol::Http1)
    };
    let mut cluster = Cluster::<u32>::new(&settings, &specs);
    let (now, mut rng) = (Instant::now(), Rng::new(1));
    let mut turns = [0; 3];
    for _ in 0..40 {
        let id = cluster.pick(now, &mut rng, PickHints::NONE).unwrap();
        turns[id.index as usize] += 1;
        assert_eq!(cluster.finished(id, now, AttemptOutcome::Failure), None);
    }
    assert_eq!(turns, [20, 10, 10]);
}

#[test]
fn a_row_and_a_rate_at_once_eject_once() {
    let share = FailurePercentage { threshold: 50, minimum_endpoints: 1, minimum_requests: 1 };
    let settings = EjectionSettings { failure_percentage: Some(share), ..SETTINGS };
    // Enough that another one might be ejected as well.
    let mut cluster = cluster(4, settings);
    let (start, id) = (Instant::now(), cluster.endpoints().next().unwrap().id);
    for _ in 0..2 {
        assert_eq!(cluster.finished(id, start, AttemptOutcome::Failure), None);
    }
    // The failure that makes the row is also the first after the interval.
    let now = start + settings.interval;
    assert_eq!(cluster.finished(id, now, AttemptOutcome::Failure), None);
    assert_eq!(cluster.take_rate_ejections(), 1);
    let until = cluster.endpoints().next().unwrap().ejected_until;
    assert_eq!(until, Some(now + settings.duration));
}
