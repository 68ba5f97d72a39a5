//! The runs. A failure prints its seed, its commit and its plan: `SEED=… cargo test -p bulkhead-gateway
//! simulation` repeats it, and with `PLAN=FILE` another plan strikes the same world.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Command;
use std::time::Duration;

use super::draft::Draft;
use super::plan::{Plan, Severity};
use super::world::{Summary, World};

/// Seeds of a run in CI, for each severity.
const SEEDS: u64 = 20;

/// One run, which tells what it was if it fails.
fn run(seed: u64, severity: Severity) -> Summary {
    let draft = Draft::new(seed, severity, given());
    let plan = draft.plan.clone();
    let run = catch_unwind(AssertUnwindSafe(|| {
        let summary = World::new(draft).run();
        let ends = summary.ends;
        assert_eq!(ends.right + ends.failed + ends.broken + ends.left, summary.asked);
        let harmless = severity == Severity::Harmless;
        let lost = if harmless { ends.failed + ends.broken } else { 0 };
        assert_eq!(lost, 0, "requests failed although nothing was broken that may break them");
        summary
    }));
    run.unwrap_or_else(|cause| {
        println!("the simulation failed with SEED={seed} ({severity:?}) at commit {}", commit());
        println!("what struck, for PLAN=FILE or the lab:\n{}", plan.0);
        resume_unwind(cause)
    })
}

/// That of the file in `PLAN`.
fn given() -> Option<Plan> {
    std::env::var_os("PLAN").map(|path| Plan(std::fs::read_to_string(path).unwrap()))
}

fn commit() -> String {
    let git = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=40"]).output();
    git.map_or_else(
        |error| format!("unknown: {error}"),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

/// The seed that is asked for, or the first ones; whether these are all.
fn seeds(count: u64) -> (Vec<u64>, bool) {
    match std::env::var("SEED") {
        Ok(seed) => (vec![seed.parse().unwrap()], false),
        Err(_) => ((0..count).collect(), std::env::var_os("PLAN").is_none()),
    }
}

impl Summary {
    fn add(&mut self, other: &Self) {
        self.ends.right += other.ends.right;
        self.ends.failed += other.ends.failed;
        self.ends.broken += other.ends.broken;
        self.ends.left += other.ends.left;
        self.asked += other.asked;
        self.killed += other.killed;
        self.moved += other.moved;
        self.simulated += other.simulated;
    }
}

#[test]
fn who_stays_is_served_whatever_dies() {
    let mut all = Summary::default();
    let (seeds, complete) = seeds(SEEDS);
    for seed in seeds {
        all.add(&run(seed, Severity::Harmless));
    }
    // The simulation simulates something.
    let something = all.killed > 0 && all.moved > 0 && all.asked > 100;
    assert!(something || !complete, "{all:?}");
}

#[test]
fn nothing_is_wrong_or_left_behind_whatever_breaks() {
    let mut all = Summary::default();
    let (seeds, complete) = seeds(SEEDS);
    for seed in seeds {
        all.add(&run(seed, Severity::Any));
    }
    let something = all.ends.failed > 0 && all.ends.broken > 0 && all.ends.right > 100;
    assert!(something || !complete, "no fault has struck anything: {all:?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in seeds(3).0 {
        let (first, second) = (run(seed, Severity::Any), run(seed, Severity::Any));
        assert_eq!(first, second, "SEED={seed}");
        // Also if its plan was written down meanwhile.
        let written = Draft::new(seed, Severity::Any, given()).plan;
        let third = World::new(Draft::new(seed, Severity::Any, Some(written))).run();
        assert_eq!(first, third, "SEED={seed}");
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
    let (mut seed, mut all) = (from, Summary::default());
    while crate::clock::now() < until {
        let harmless = seed.is_multiple_of(2) && std::env::var_os("PLAN").is_none();
        let severity = if harmless { Severity::Harmless } else { Severity::Any };
        all.add(&run(seed, severity));
        seed += 1;
    }
    println!(
        "{} seeds from {from}: {:.1} hours simulated, {} requests, {} workers killed, {} connections \
         moved",
        seed - from,
        all.simulated.as_secs_f64() / 3600.0,
        all.asked,
        all.killed,
        all.moved
    );
}
