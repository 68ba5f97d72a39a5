//! What happens to ids, connections and waiters when endpoints come and go, and on adoption.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::{
    Acquire, AttemptOutcome, Cluster, ClusterSettings, ConnectionFacts, ConnectionState,
    EndpointSpec, Overloaded, PickHints, Protocol, Released, Rng,
};

fn address(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn specs(ports: &[u16]) -> Vec<EndpointSpec> {
    ports.iter().map(|&port| EndpointSpec::new(address(port))).collect()
}

fn cluster(protocol: Protocol, ports: &[u16]) -> Cluster<u32> {
    Cluster::new(&ClusterSettings::new(protocol), &specs(ports))
}

fn ports(cluster: &Cluster<u32>) -> Vec<u16> {
    let mut ports: Vec<_> = cluster.endpoints().map(|e| e.address.inet().unwrap().port()).collect();
    ports.sort_unstable();
    ports
}

#[test]
fn endpoints_that_stay_keep_everything() {
    let now = Instant::now();
    let mut cluster = cluster(Protocol::Http2, &[1, 2]);
    let one = cluster.endpoint_at(address(1)).unwrap();
    let two = cluster.endpoint_at(address(2)).unwrap();
    cluster.started(one);
    let _ = cluster.connecting(one, 10);
    cluster.ready(10, now, 100);
    let _ = cluster.connecting(two, 20);
    cluster.ready(20, now, 100);
    assert_eq!(cluster.acquire(two), Acquire::Use(20));
    cluster.enqueue(two, 7).unwrap();

    let removed = cluster.update_endpoints(&specs(&[3, 1, 4, 3]), now);
    assert_eq!((removed.connections, removed.waiters), (vec![20], vec![7]));
    assert_eq!(ports(&cluster), [1, 3, 4]);
    assert_eq!(cluster.endpoint_at(address(1)), Some(one));
    assert_eq!(cluster.acquire(one), Acquire::Use(10));
    assert_eq!(cluster.endpoints().find(|e| e.id == one).unwrap().in_flight, 1);
    assert_eq!(cluster.waiting(), 0);
}

#[test]
fn old_ids_mean_nobody() {
    let now = Instant::now();
    let mut cluster = cluster(Protocol::Http1, &[1]);
    let old = cluster.endpoint_at(address(1)).unwrap();
    let _ = cluster.update_endpoints(&specs(&[2]), now);
    let new = cluster.endpoint_at(address(2)).unwrap();
    assert_eq!(old.index, new.index, "the place is reused");
    cluster.started(old);
    assert_eq!(cluster.finished(old, now, AttemptOutcome::Failure), None);
    assert_eq!(cluster.address(old), None);
    assert_eq!(cluster.acquire(old), Acquire::Overloaded);
    assert_eq!(cluster.enqueue(old, 1), Err(Overloaded));
    assert_eq!(cluster.connecting(old, 5), Released::Close);
    assert_eq!(cluster.serve_waiter(old), None);
    assert_eq!(cluster.pop_waiter(old), None);
    assert!(!cluster.wants_connection(old));
    assert_eq!(cluster.endpoints().next().unwrap().in_flight, 0);
    let hints = PickHints { avoid: Some(old), ..PickHints::NONE };
    assert_eq!(cluster.pick(now, &mut Rng::new(1), hints), Some(new));
}

#[test]
fn connections_of_a_removed_endpoint_end_with_their_streams() {
    let now = Instant::now();
    let mut cluster = cluster(Protocol::Http2, &[1]);
    let one = cluster.endpoint_at(address(1)).unwrap();
    let _ = cluster.connecting(one, 10);
    cluster.ready(10, now, 100);
    assert_eq!(cluster.acquire(one), Acquire::Use(10));
    assert_eq!(cluster.acquire(one), Acquire::Use(10));
    let removed = cluster.update_endpoints(&[], now);
    assert_eq!(removed.connections, [10]);
    assert_eq!(cluster.facts(10).unwrap().state, ConnectionState::Draining);
    assert_eq!(cluster.endpoint_of(10), None);
    assert_eq!(cluster.release(10, now, true), Released::Keep);
    assert_eq!(cluster.release(10, now, true), Released::Close);
    cluster.closed(10);
    assert_eq!(cluster.connections().count(), 0);
    assert_eq!(cluster.release(10, now, true), Released::Unknown, "a late event");
}

#[test]
fn every_connection_moves_to_another_cluster() {
    let now = Instant::now();
    let in_use = |state| ConnectionFacts {
        protocol: Protocol::Http2,
        state,
        streams_in_use: 3,
        streams_allowed: 4,
    };
    let http1 = |streams_in_use| ConnectionFacts {
        protocol: Protocol::Http1,
        state: ConnectionState::Ready,
        streams_in_use,
        streams_allowed: 1,
    };
    // The connection, whether it serves one more request, and whether it closes after its last.
    for (port, facts, serves, closes) in [
        (1, in_use(ConnectionState::Ready), true, false),
        (1, in_use(ConnectionState::Draining), false, true),
        (9, in_use(ConnectionState::Ready), false, true),
        (1, http1(1), false, false),
        (1, http1(0), true, false),
        (9, http1(1), false, true),
    ] {
        let mut cluster = cluster(Protocol::Http2, &[1]);
        let one = cluster.endpoint_at(address(1)).unwrap();
        let adopted = cluster.adopt(address(port), 10, facts, now);
        assert_eq!(adopted, (port == 1).then_some(one));
        let acquired = cluster.acquire(one);
        assert_eq!(acquired == Acquire::Use(10), serves, "{port} {facts:?}");
        cluster.rekey(10, 77);
        assert_eq!(cluster.facts(10), None);
        let mut last = Released::Keep;
        for _ in 0..cluster.facts(77).unwrap().streams_in_use {
            assert_eq!(last, Released::Keep);
            last = cluster.release(77, now, true);
        }
        assert_eq!(last == Released::Close, closes, "{port} {facts:?}");
    }
}

#[test]
fn adoption_goes_beyond_the_limit_but_dialling_does_not() {
    let now = Instant::now();
    let settings = ClusterSettings { connections_max: 2, ..ClusterSettings::new(Protocol::Http1) };
    let mut cluster = Cluster::<u32>::new(&settings, &specs(&[1]));
    let one = cluster.endpoint_at(address(1)).unwrap();
    let busy = ConnectionFacts {
        protocol: Protocol::Http1,
        state: ConnectionState::Ready,
        streams_in_use: 1,
        streams_allowed: 1,
    };
    for key in 0..3 {
        assert_eq!(cluster.adopt(address(1), key, busy, now), Some(one));
    }
    assert_eq!(cluster.acquire(one), Acquire::Wait);
    cluster.enqueue(one, 1).unwrap();
    cluster.closed(0);
    assert!(!cluster.wants_connection(one), "two are left, which is the limit");
    cluster.closed(1);
    assert!(cluster.wants_connection(one));
}

#[test]
fn idle_connections_expire_and_busy_ones_stay() {
    let start = Instant::now();
    let minute = Duration::from_secs(60);
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let settings = ClusterSettings { http2_connections: 3, ..ClusterSettings::new(protocol) };
        let mut cluster = Cluster::<u32>::new(&settings, &specs(&[1]));
        let one = cluster.endpoint_at(address(1)).unwrap();
        for key in [10, 11] {
            let _ = cluster.connecting(one, key);
            cluster.ready(key, start, 1);
        }
        let Acquire::Use(busy) = cluster.acquire(one) else { panic!("two are ready") };
        let idle = if busy == 10 { 11 } else { 10 };
        assert_eq!(cluster.expire_idle(start + minute - Duration::from_nanos(1)), []);
        assert_eq!(cluster.expire_idle(start + minute), [idle]);
        assert_eq!(cluster.expire_idle(start + minute), [], "{protocol:?}: told once");
        assert_ne!(cluster.acquire(one), Acquire::Use(idle), "{protocol:?}");
        cluster.closed(idle);
        assert_eq!(cluster.release(busy, start + minute, true), Released::Keep);
        assert_eq!(cluster.expire_idle(start + minute), []);
        assert_eq!(cluster.expire_idle(start + 2 * minute), [busy]);
    }
}
