//! Cases of acquiring and waiting, and a model test over random sequences of events.

mod model;

use std::time::Instant;

use crate::{
    Acquire, Cluster, ClusterSettings, EndpointId, EndpointSpec, Overloaded, Protocol, Released,
};

fn cluster(settings: &ClusterSettings) -> (Cluster<u32>, EndpointId) {
    let spec = EndpointSpec::new(([127, 0, 0, 1], 1));
    let cluster = Cluster::new(settings, std::slice::from_ref(&spec));
    let id = cluster.endpoint_at(spec.address).unwrap();
    (cluster, id)
}

/// What the caller does after `acquire`: dials connection `key` if asked to, and waits.
fn request(cluster: &mut Cluster<u32>, id: EndpointId, key: u32, waiter: u64) -> Acquire<u32> {
    let acquired = cluster.acquire(id);
    if acquired == Acquire::Connect {
        assert_eq!(cluster.connecting(id, key), Released::Keep);
    }
    if matches!(acquired, Acquire::Connect | Acquire::Wait) {
        cluster.enqueue(id, waiter).unwrap();
    }
    acquired
}

#[test]
fn http1_dials_one_connection_per_waiting_request() {
    let now = Instant::now();
    let settings = ClusterSettings { connections_max: 2, ..ClusterSettings::new(Protocol::Http1) };
    let (mut cluster, id) = cluster(&settings);
    assert_eq!(request(&mut cluster, id, 10, 1), Acquire::Connect);
    assert_eq!(request(&mut cluster, id, 11, 2), Acquire::Connect);
    assert_eq!(request(&mut cluster, id, 12, 3), Acquire::Wait, "the limit is two");
    cluster.ready(11, now, 100);
    assert_eq!(cluster.serve_waiter(id), Some((1, 11)), "first come, first served");
    assert_eq!(cluster.serve_waiter(id), None, "one request per connection");
    assert_eq!(cluster.release(11, now, true), Released::Keep);
    assert_eq!(cluster.serve_waiter(id), Some((2, 11)));
    // The dial for request 1 is still under way and serves request 3: no further one is needed.
    assert!(!cluster.wants_connection(id));
    cluster.closed(10);
    assert!(cluster.wants_connection(id), "the dial failed");
    assert_eq!(cluster.release(11, now, false), Released::Close);
    assert_eq!(cluster.pop_waiter(id), Some(3));
    assert!(!cluster.wants_connection(id));
}

#[test]
fn a_spare_dial_serves_the_next_request() {
    let (mut cluster, id) = cluster(&ClusterSettings::new(Protocol::Http1));
    assert_eq!(request(&mut cluster, id, 10, 1), Acquire::Connect);
    assert!(cluster.cancel_waiter(1));
    assert!(!cluster.cancel_waiter(1));
    assert_eq!(request(&mut cluster, id, 11, 2), Acquire::Wait);
    assert_eq!(request(&mut cluster, id, 11, 3), Acquire::Connect);
}

#[test]
fn http1_uses_the_connection_used_last() {
    let now = Instant::now();
    let (mut cluster, id) = cluster(&ClusterSettings::new(Protocol::Http1));
    for key in [10, 11, 12] {
        let _ = cluster.connecting(id, key);
        cluster.ready(key, now, 1);
    }
    assert_eq!(cluster.acquire(id), Acquire::Use(12));
    assert_eq!(cluster.acquire(id), Acquire::Use(11));
    assert_eq!(cluster.release(12, now, true), Released::Keep);
    assert_eq!(cluster.acquire(id), Acquire::Use(12));
    assert_eq!(cluster.draining(10), Released::Close, "an idle one may go at once");
    assert_eq!(cluster.acquire(id), Acquire::Connect);
    assert_eq!(cluster.draining(12), Released::Keep, "a busy one may not");
    assert_eq!(cluster.release(12, now, true), Released::Close);
}

#[test]
fn http2_shares_by_fewest_streams_and_dials_when_full() {
    let now = Instant::now();
    let (mut cluster, id) = cluster(&ClusterSettings::new(Protocol::Http2));
    assert_eq!(request(&mut cluster, id, 10, 1), Acquire::Connect);
    assert_eq!(request(&mut cluster, id, 11, 2), Acquire::Wait, "one dial serves many");
    cluster.ready(10, now, 3);
    assert_eq!(cluster.serve_waiter(id), Some((1, 10)));
    assert_eq!(cluster.serve_waiter(id), Some((2, 10)));
    assert_eq!(cluster.serve_waiter(id), None);
    assert_eq!(request(&mut cluster, id, 11, 3), Acquire::Use(10));
    assert_eq!(request(&mut cluster, id, 11, 4), Acquire::Connect, "the first is full");
    assert_eq!(request(&mut cluster, id, 12, 5), Acquire::Wait);
    cluster.ready(11, now, 3);
    assert_eq!(cluster.serve_waiter(id), Some((4, 11)));
    assert_eq!(cluster.serve_waiter(id), Some((5, 11)));
    assert_eq!(cluster.release(10, now, true), Released::Keep);
    assert_eq!(cluster.release(10, now, true), Released::Keep);
    assert_eq!(cluster.acquire(id), Acquire::Use(10), "1 stream is fewer than 2");
    for _ in 0..2 {
        assert!(matches!(cluster.acquire(id), Acquire::Use(_)));
    }
    assert_eq!(request(&mut cluster, id, 12, 6), Acquire::Wait, "two connections is the limit");
    cluster.streams_allowed(11, 4);
    assert_eq!(cluster.serve_waiter(id), Some((6, 11)), "the peer allows more");
    cluster.streams_allowed(10, 1);
    assert_eq!(cluster.release(10, now, true), Released::Keep);
    assert_eq!(request(&mut cluster, id, 12, 7), Acquire::Wait, "the peer allows less");
}

#[test]
fn http2_replaces_a_draining_connection() {
    let now = Instant::now();
    let settings =
        ClusterSettings { http2_connections: 1, ..ClusterSettings::new(Protocol::Http2) };
    let (mut cluster, id) = cluster(&settings);
    let _ = cluster.connecting(id, 10);
    cluster.ready(10, now, 100);
    assert_eq!(cluster.acquire(id), Acquire::Use(10));
    assert_eq!(cluster.draining(10), Released::Keep);
    assert_eq!(request(&mut cluster, id, 11, 1), Acquire::Connect);
    cluster.ready(11, now, 100);
    assert_eq!(cluster.serve_waiter(id), Some((1, 11)));
    assert_eq!(cluster.release(10, now, true), Released::Close);
    cluster.closed(10);
    assert_eq!(cluster.endpoints().next().unwrap().connections, 1);
}

#[test]
fn more_dials_start_when_one_cannot_serve_all_that_wait() {
    let (mut cluster, id) = cluster(&ClusterSettings::new(Protocol::Http2));
    let dials: Vec<_> = (0..250)
        .filter(|&n| request(&mut cluster, id, n, u64::from(n)) == Acquire::Connect)
        .collect();
    assert_eq!(dials, [0, 100]);
}

#[test]
fn too_many_waiting_requests_are_refused() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let settings = ClusterSettings { pending_max: 2, ..ClusterSettings::new(protocol) };
        let (mut cluster, id) = cluster(&settings);
        let _ = request(&mut cluster, id, 10, 1);
        let _ = request(&mut cluster, id, 11, 2);
        assert_eq!(cluster.acquire(id), Acquire::Overloaded);
        assert_eq!(cluster.enqueue(id, 3), Err(Overloaded));
        assert_eq!(cluster.waiting(), 2);
        assert!(cluster.cancel_waiter(1));
        assert_eq!(cluster.enqueue(id, 3), Ok(()));
        assert_eq!(cluster.pop_waiter(id), Some(2));
        assert_eq!(cluster.pop_waiter(id), Some(3));
        assert_eq!(cluster.pop_waiter(id), None);
    }
}

#[test]
fn http2_expects_of_new_connections_what_the_endpoint_allowed_last() {
    let now = Instant::now();
    let settings =
        ClusterSettings { http2_connections: 4, ..ClusterSettings::new(Protocol::Http2) };
    let (mut cluster, id) = cluster(&settings);
    assert_eq!(request(&mut cluster, id, 10, 1), Acquire::Connect);
    assert_eq!(request(&mut cluster, id, 0, 2), Acquire::Wait, "100 are expected of it");
    assert_eq!(request(&mut cluster, id, 0, 3), Acquire::Wait);
    cluster.ready(10, now, 100);
    assert_eq!(cluster.serve_waiter(id), Some((1, 10)));
    cluster.streams_allowed(10, 1);
    assert_eq!(cluster.serve_waiter(id), None);
    // Two still wait, and a connection serves one: two are dialled, and no more.
    for key in [11, 12] {
        assert!(cluster.wants_connection(id));
        assert_eq!(cluster.connecting(id, key), Released::Keep);
    }
    assert!(!cluster.wants_connection(id));
    assert_eq!(request(&mut cluster, id, 13, 4), Acquire::Connect);
    assert_eq!(request(&mut cluster, id, 0, 5), Acquire::Wait, "four are the limit");
    // No more is sent on a new one before its settings are there.
    cluster.ready(11, now, 100);
    assert_eq!(cluster.serve_waiter(id), Some((2, 11)));
    assert_eq!(cluster.serve_waiter(id), None);
    cluster.streams_allowed(11, 2);
    assert_eq!(cluster.serve_waiter(id), Some((3, 11)));
}
