//! What one pick costs for each algorithm, and what a change of the endpoints costs for those that
//! build a table.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bulkhead_upstream::{
    Balance, Cluster, ClusterSettings, EndpointSpec, Maglev, PickHints, Protocol, RingHash, Rng,
    stable_hash,
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

const ENDPOINTS: u16 = 16;

fn algorithms() -> [(&'static str, Balance); 8] {
    let ring = RingHash::default();
    let maglev = Maglev::default();
    [
        ("random", Balance::Random),
        ("round robin", Balance::RoundRobin),
        ("least request", Balance::LeastRequest),
        ("peak EWMA", Balance::PeakEwma),
        ("ring hash", Balance::RingHash(ring)),
        ("ring hash, bounded", Balance::RingHash(RingHash { load_max: Some(125), ..ring })),
        ("Maglev", Balance::Maglev(maglev)),
        ("Maglev, bounded", Balance::Maglev(Maglev { load_max: Some(125), ..maglev })),
    ]
}

fn specs(endpoints: u16) -> Vec<EndpointSpec> {
    (1..=endpoints).map(|port| EndpointSpec::new(([10, 0, 0, 1], port))).collect()
}

fn cluster(balance: Balance, endpoints: u16) -> Cluster<u64> {
    let settings = ClusterSettings { balance, ..ClusterSettings::new(Protocol::Http1) };
    Cluster::new(&settings, &specs(endpoints))
}

fn picks(criterion: &mut Criterion) {
    let now = Instant::now();
    let mut group = criterion.benchmark_group("pick, 16 endpoints");
    for (name, balance) in algorithms() {
        let mut cluster = cluster(balance, ENDPOINTS);
        let ids: Vec<_> = cluster.endpoints().map(|endpoint| endpoint.id).collect();
        for (milliseconds, id) in (1..).zip(ids) {
            cluster.observe(id, now, Duration::from_millis(milliseconds));
        }
        let (mut rng, mut key) = (Rng::new(1), 0u64);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                key += 1;
                let hash = stable_hash(&key.to_ne_bytes());
                let hints = PickHints { hash: Some(hash), ..PickHints::NONE };
                cluster.pick(now, &mut rng, black_box(hints))
            });
        });
    }
    group.finish();
}

fn builds(criterion: &mut Criterion) {
    let now = Instant::now();
    let mut group = criterion.benchmark_group("one endpoint more");
    for endpoints in [16, 256] {
        let after = specs(endpoints + 1);
        for (name, balance) in [algorithms()[2], algorithms()[4], algorithms()[6]] {
            group.bench_function(format!("{name}, {endpoints}"), |bencher| {
                bencher.iter_batched_ref(
                    || cluster(balance, endpoints),
                    |cluster| cluster.update_endpoints(black_box(&after), now),
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
}

criterion_group!(benches, picks, builds);
criterion_main!(benches);
