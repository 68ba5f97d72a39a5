//! When connections are dialled that nobody waits for.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::{
    AttemptOutcome, Cluster, ClusterSettings, EjectionSettings, EndpointId, EndpointSpec,
    PickHints, Protocol, Released, Rng,
};

fn specs(count: u16) -> Vec<EndpointSpec> {
    (0..count).map(|port| EndpointSpec::new(SocketAddr::from(([127, 0, 0, 1], port)))).collect()
}

fn settings(protocol: Protocol) -> ClusterSettings {
    ClusterSettings { preconnect: 3, ..ClusterSettings::new(protocol) }
}

/// Dials all that is wanted, under keys from `first` on.
fn dial(cluster: &mut Cluster<u32>, now: Instant, first: u32) -> Vec<EndpointId> {
    let dials = cluster.take_warm_dials(now, &mut Rng::new(1));
    for (key, &endpoint) in (first..).zip(&dials) {
        assert_eq!(cluster.connecting(endpoint, key), Released::Keep);
    }
    dials
}

#[test]
fn as_many_are_open_as_asked_for() {
    for (protocol, expect) in [(Protocol::Http1, 3), (Protocol::Http2, 2)] {
        let now = Instant::now();
        let mut cluster = Cluster::new(&settings(protocol), &specs(2));
        assert_eq!(dial(&mut cluster, now, 0).len(), 2 * expect, "{protocol:?}");
        assert!(dial(&mut cluster, now, 100).is_empty());
        for key in 0..2 * expect as u32 {
            cluster.ready(key, now, 100);
        }
        assert!(dial(&mut cluster, now, 100).is_empty());
        cluster.closed(0);
        assert_eq!(dial(&mut cluster, now, 100).len(), 1, "one was lost");
    }
}

#[test]
fn after_failures_there_are_pauses() {
    let mut now = Instant::now();
    let mut cluster = Cluster::new(&settings(Protocol::Http1), &specs(1));
    let mut pauses = Vec::new();
    let mut first = 0;
    for _ in 0..12 {
        let dials = dial(&mut cluster, now, first).len() as u32;
        assert!(dials > 0);
        (first..first + dials).for_each(|key| cluster.closed(key));
        first += dials;
        let failed = now;
        while cluster.take_warm_dials(now, &mut Rng::new(1)).is_empty() {
            now += Duration::from_millis(100);
        }
        // That one was not dialled: the next is due after its own pause.
        pauses.push(now - failed);
        now += Duration::from_secs(61);
    }
    assert!(pauses[0] <= Duration::from_secs(1), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(60)), "{pauses:?}");
    assert!(pauses[11] >= Duration::from_secs(30), "{pauses:?}");
}

#[test]
fn ejected_endpoints_are_left_alone() {
    let now = Instant::now();
    let ejection = Some(EjectionSettings { consecutive_failures: 1, ..EjectionSettings::DEFAULT });
    let settings = ClusterSettings { ejection, ..settings(Protocol::Http1) };
    let mut cluster = Cluster::new(&settings, &specs(2));
    let bad = cluster.pick(now, &mut Rng::new(1), PickHints::NONE).unwrap();
    cluster.started(bad);
    assert!(cluster.finished(bad, now, AttemptOutcome::Failure).is_some());
    let dials = dial(&mut cluster, now, 0);
    assert!(dials.len() == 3 && !dials.contains(&bad));
}

#[test]
fn idle_connections_expire_down_to_as_many() {
    let now = Instant::now();
    let mut cluster = Cluster::new(&settings(Protocol::Http1), &specs(1));
    let endpoint = dial(&mut cluster, now, 0)[0];
    assert_eq!(cluster.connecting(endpoint, 3), Released::Keep);
    assert_eq!(cluster.connecting(endpoint, 4), Released::Keep);
    (0..5).for_each(|key| cluster.ready(key, now, 1));
    let later = now + Duration::from_secs(3_600);
    assert_eq!(cluster.expire_idle(later).len(), 2);
    assert!(cluster.expire_idle(later).is_empty());
}
