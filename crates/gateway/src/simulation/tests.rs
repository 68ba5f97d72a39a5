//! The runs. A failure prints its seed; `SEED=… cargo test -p bulkhead-gateway simulation` repeats it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use super::faults::{ALL, Fault, HARMLESS};
use super::world::{Summary, World};

/// Seeds of a run in CI, for each set of faults.
const SEEDS: u64 = 6;

/// One run, which names its seed if it fails.
fn run(seed: u64, kinds: &[Fault]) -> Summary {
    let run = catch_unwind(AssertUnwindSafe(|| World::new(seed, kinds).run()));
    run.unwrap_or_else(|cause| {
        println!("the simulation failed with SEED={seed} and {} kinds of faults", kinds.len());
        resume_unwind(cause)
    })
}

/// The seed that is asked for, or the first ones.
fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..count).collect(),
    }
}

#[test]
fn who_stays_is_served_whatever_dies() {
    let mut all = Summary::default();
    for seed in seeds(SEEDS) {
        let summary = run(seed, HARMLESS);
        assert_eq!(
            (summary.ends.failed, summary.ends.broken),
            (0, 0),
            "SEED={seed}: requests failed although nothing was broken that may break them"
        );
        assert_eq!(summary.ends.right + summary.ends.left, summary.asked, "SEED={seed}");
        all.killed += summary.killed;
        all.moved += summary.moved;
        all.asked += summary.asked;
    }
    // The simulation simulates something.
    assert!(all.killed > 0 && all.moved > 0 && all.asked > 100, "{all:?}");
}

#[test]
fn nothing_is_wrong_or_left_behind_whatever_breaks() {
    let mut all = Summary::default();
    for seed in seeds(SEEDS) {
        let summary = run(1_000 + seed, ALL);
        let ends = summary.ends;
        assert_eq!(
            ends.right + ends.failed + ends.broken + ends.left,
            summary.asked,
            "SEED={seed}"
        );
        all.ends.failed += ends.failed;
        all.ends.broken += ends.broken;
    }
    assert!(all.ends.failed + all.ends.broken > 0, "no fault has struck anything: {all:?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in seeds(2) {
        let (first, second) = (run(seed, ALL), run(seed, ALL));
        assert_eq!(first, second, "SEED={seed}");
    }
}

/// Runs seeds for `SIMULATE_SECONDS` (60), from seed `SIMULATE_FROM` (the time): `cargo xtask simulate`.
#[test]
#[ignore = "as long as one likes: cargo xtask simulate"]
fn as_long_as_one_likes() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seconds = number("SIMULATE_SECONDS").unwrap_or(60);
    let from = number("SIMULATE_FROM").unwrap_or_else(|| crate::clock::unix().as_millis() as u64);
    let until = crate::clock::now() + Duration::from_secs(seconds);
    let (mut seed, mut simulated, mut all) = (from, Duration::ZERO, Summary::default());
    while crate::clock::now() < until {
        let kinds = if seed.is_multiple_of(2) { HARMLESS } else { ALL };
        let summary = run(seed, kinds);
        if kinds.len() == HARMLESS.len() {
            assert_eq!((summary.ends.failed, summary.ends.broken), (0, 0), "SEED={seed}");
        }
        seed += 1;
        simulated += summary.simulated;
        all.asked += summary.asked;
        all.killed += summary.killed;
        all.moved += summary.moved;
    }
    println!(
        "{} seeds from {from}: {:.1} hours simulated, {} requests, {} workers killed, {} connections \
         moved",
        seed - from,
        simulated.as_secs_f64() / 3600.0,
        all.asked,
        all.killed,
        all.moved
    );
}
