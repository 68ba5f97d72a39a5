use std::time::Duration;

use super::{KillPlan, KillPlanError};

fn plan(share: f64, workers: usize, seed: u64) -> KillPlan {
    KillPlan { interval: Duration::from_secs(3), share, workers, seed }
}

#[test]
fn the_mean_share_is_the_asked_one_where_the_bounds_allow() {
    for (share, workers) in [(0.15, 8), (0.15, 40), (0.5, 8), (0.33, 12), (0.9, 20)] {
        let rounds = 4_000;
        let victims: usize =
            plan(share, workers, 42).rounds().unwrap().take(rounds).map(|k| k.victims.len()).sum();
        let mean = victims as f64 / (rounds * workers) as f64;
        assert!((mean - share).abs() < 0.01, "{share} of {workers}: {mean}");
    }
}

#[test]
fn every_round_kills_someone_and_leaves_someone() {
    for (share, workers) in [(0.01, 2), (0.01, 8), (0.99, 2), (0.99, 8), (0.15, 3)] {
        for seed in 0..20 {
            for kill in plan(share, workers, seed).rounds().unwrap().take(50) {
                assert!(!kill.victims.is_empty() && kill.victims.len() < workers);
                assert!(kill.victims.windows(2).all(|pair| pair[0] < pair[1]));
                assert!(kill.victims.iter().all(|&victim| victim < workers));
            }
        }
    }
}

#[test]
fn a_seed_gives_the_same_plan_and_another_seed_another() {
    let take = |seed| plan(0.15, 8, seed).rounds().unwrap().take(40).collect::<Vec<_>>();
    assert_eq!(take(1), take(1));
    assert_ne!(take(1), take(2));
}

#[test]
fn every_worker_has_its_turn() {
    let mut hits = [0u32; 8];
    for kill in plan(0.15, 8, 9).rounds().unwrap().take(2_000) {
        for victim in kill.victims {
            hits[victim] += 1;
        }
    }
    for hit in hits {
        assert!((200..400).contains(&hit), "{hits:?}");
    }
}

#[test]
fn rounds_come_at_the_interval_and_leave_the_margin() {
    let kills =
        plan(0.15, 8, 1).rounds_within(Duration::from_secs(20), Duration::from_secs(2)).unwrap();
    let times: Vec<_> = kills.iter().map(|kill| kill.at.as_secs()).collect();
    assert_eq!(times, [3, 6, 9, 12, 15, 18]);
    let none = plan(0.15, 8, 1).rounds_within(Duration::from_secs(3), Duration::ZERO).unwrap();
    assert!(none.is_empty());
}

#[test]
fn plans_that_cannot_be_carried_out_are_refused() {
    let error = |plan: KillPlan| plan.rounds().err();
    assert_eq!(error(plan(0.15, 1, 1)), Some(KillPlanError::TooFewWorkers));
    for share in [0.0, -0.1, 1.0, 1.5, f64::NAN] {
        assert_eq!(error(plan(share, 8, 1)), Some(KillPlanError::ShareOutOfRange), "{share}");
    }
    let still = KillPlan { interval: Duration::ZERO, ..plan(0.15, 8, 1) };
    assert_eq!(error(still), Some(KillPlanError::NoInterval));
}
