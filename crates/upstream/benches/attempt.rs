//! What an attempt costs in bookkeeping: pick, started, acquire, release, finished.

use std::hint::black_box;
use std::time::Instant;

use bulkhead_upstream::{
    Acquire, AttemptOutcome, Balance, Cluster, ClusterSettings, EndpointSpec, PickHints, Protocol,
    Rng,
};
use criterion::{Criterion, criterion_group, criterion_main};

fn cluster(protocol: Protocol, balance: Balance, weights: &[u32], now: Instant) -> Cluster<u64> {
    let specs: Vec<_> = (1u16..)
        .zip(weights)
        .map(|(port, &weight)| EndpointSpec { weight, ..EndpointSpec::new(([127, 0, 0, 1], port)) })
        .collect();
    let settings = ClusterSettings { balance, ..ClusterSettings::new(protocol) };
    let mut cluster = Cluster::new(&settings, &specs);
    let ids: Vec<_> = cluster.endpoints().map(|endpoint| endpoint.id).collect();
    for (key, id) in (0u64..).zip(ids.iter().cycle()).take(ids.len() * 2) {
        let _ = cluster.connecting(*id, key << 32 | key);
        cluster.ready(key << 32 | key, now, 100);
    }
    cluster
}

fn attempts(criterion: &mut Criterion) {
    let now = Instant::now();
    let equal = [1; 16];
    let unequal: Vec<u32> = (1..=16).collect();
    let mut group = criterion.benchmark_group("attempt, 16 endpoints");
    for (name, protocol, balance, weights) in [
        ("http2, least request", Protocol::Http2, Balance::LeastRequest, &equal[..]),
        ("http2, least request, weights", Protocol::Http2, Balance::LeastRequest, &unequal),
        ("http2, round robin", Protocol::Http2, Balance::RoundRobin, &equal),
        ("http2, round robin, weights", Protocol::Http2, Balance::RoundRobin, &unequal),
        ("http1, least request", Protocol::Http1, Balance::LeastRequest, &equal),
    ] {
        let mut cluster = cluster(protocol, balance, weights, now);
        let mut rng = Rng::new(1);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let id = cluster.pick(now, &mut rng, PickHints::NONE)?;
                cluster.started(id);
                let Acquire::Use(key) = cluster.acquire(id) else { return None };
                let released = cluster.release(black_box(key), now, true);
                cluster.finished(id, now, AttemptOutcome::Success);
                Some(released)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, attempts);
criterion_main!(benches);
