//! Subsets by labels.

use std::sync::Arc;
use std::time::Instant;

use super::{all, cluster_of, spec};
use crate::{
    AttemptOutcome, Balance, Cluster, EndpointSpec, Labels, Locality, PickHints, Rng, SUBSETS_MAX,
    Subset, SubsetFallback, stable_hash,
};

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn labelled(port: u16, pairs: &[(&str, &str)]) -> EndpointSpec {
    EndpointSpec { labels: Some(Arc::new(labels(pairs))), ..spec(port) }
}

fn subset(pairs: &[(&str, &str)], fallback: SubsetFallback) -> Arc<Subset> {
    Arc::new(Subset::new(labels(pairs), fallback))
}

/// The ports that are picked, each once.
fn ports(cluster: &mut Cluster<u32>, subset: &Arc<Subset>) -> Vec<u16> {
    let mut rng = Rng::new(3);
    let mut ports: Vec<u16> = (0..200)
        .filter_map(|key| {
            let hints = PickHints {
                subset: Some(subset),
                hash: Some(stable_hash(&[key])),
                ..PickHints::NONE
            };
            let picked = cluster.pick(Instant::now(), &mut rng, hints)?;
            Some(cluster.address(picked)?.inet()?.port())
        })
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn endpoints() -> Vec<EndpointSpec> {
    vec![
        labelled(1, &[("version", "v1"), ("stage", "prod")]),
        labelled(2, &[("version", "v1"), ("stage", "canary")]),
        labelled(3, &[("version", "v2"), ("stage", "canary")]),
        spec(4),
    ]
}

#[test]
fn all_labels_must_be_there() {
    use SubsetFallback::{Any, None};
    for balance in all() {
        let mut cluster = cluster_of(balance, Locality::NONE, &endpoints());
        for (pairs, fallback, expected) in [
            (&[("version", "v1")][..], None, &[1, 2][..]),
            (&[("version", "v1"), ("stage", "canary")], None, &[2]),
            (&[("version", "v2")], None, &[3]),
            (&[("version", "v3")], None, &[]),
            (&[("version", "v3")], Any, &[1, 2, 3, 4]),
            (&[], None, &[1, 2, 3, 4]),
        ] {
            let subset = subset(pairs, fallback);
            assert_eq!(ports(&mut cluster, &subset), expected, "{balance:?} {pairs:?}");
        }
    }
}

#[test]
fn a_subset_follows_its_endpoints() {
    let mut cluster = cluster_of(Balance::LeastRequest, Locality::NONE, &endpoints());
    let canary = subset(&[("stage", "canary")], SubsetFallback::None);
    assert_eq!(ports(&mut cluster, &canary), [2, 3]);
    // One changes its label, one leaves, one comes.
    let news = [
        labelled(1, &[("stage", "canary")]),
        labelled(2, &[("stage", "prod")]),
        labelled(7, &[("stage", "canary")]),
    ];
    let _ = cluster.update_endpoints(&news, Instant::now());
    assert_eq!(ports(&mut cluster, &canary), [1, 7]);
    let seven = cluster.endpoint_at(spec(7).address).unwrap();
    assert!(cluster.finished(seven, Instant::now(), AttemptOutcome::Failure).is_some());
    assert_eq!(ports(&mut cluster, &canary), [1], "an ejection counts in the subset");
}

#[test]
fn more_subsets_than_are_kept_work_as_well() {
    let mut cluster = cluster_of(Balance::RoundRobin, Locality::NONE, &endpoints());
    for number in 0..SUBSETS_MAX * 2 {
        let version = if number % 2 == 0 { "v2" } else { "v3" };
        let odd = format!("{number}");
        let pairs = [("version", version), ("number", odd.as_str())];
        assert_eq!(ports(&mut cluster, &subset(&pairs, SubsetFallback::None)), []);
        let v2 = subset(&[("version", "v2")], SubsetFallback::None);
        assert_eq!(ports(&mut cluster, &v2), [3]);
    }
}
