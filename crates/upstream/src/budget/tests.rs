//! How many retries the window lets through.

use std::time::{Duration, Instant};

use super::Budget;

const SECOND: Duration = Duration::from_secs(1);

fn take_all(budget: &mut Budget, now: Instant) -> u32 {
    (0..10_000).take_while(|_| budget.take_retry(now)).count() as u32
}

#[test]
fn share_or_floor_whichever_is_more() {
    let now = Instant::now();
    for (percent, requests, expect) in [
        (20, 0, 30),
        (20, 100, 30),
        (20, 150, 30),
        (20, 155, 31),
        (20, 1_000, 200),
        (0, 5_000, 30),
        (100, 500, 500),
    ] {
        let mut budget = Budget::new(percent);
        (0..requests).for_each(|_| budget.record_request(now));
        assert_eq!(take_all(&mut budget, now), expect, "{percent} % of {requests}");
    }
}

#[test]
fn the_window_slides() {
    let start = Instant::now();
    let mut budget = Budget::new(20);
    (0..1_000).for_each(|_| budget.record_request(start));
    assert_eq!(take_all(&mut budget, start), 200);
    // (seconds since start, requests then, retries then allowed)
    for (at, requests, expect) in [
        (5, 100, 20),  // 1,100 requests in the window: 220, of which 200 are used.
        (9, 0, 0),     // All of it still counts.
        (10, 0, 10),   // The first second left: 100 requests, the floor of 30, 20 used.
        (15, 500, 90), // Second 5 left too: 500 requests, 10 used.
        (60, 0, 30),   // Everything is past.
        (1_000_000, 0, 30),
    ] {
        let now = start + SECOND * at;
        (0..requests).for_each(|_| budget.record_request(now));
        assert_eq!(take_all(&mut budget, now), expect, "at {at} s");
    }
}

#[test]
fn a_new_share_keeps_the_window() {
    let now = Instant::now();
    let mut budget = Budget::new(20);
    (0..1_000).for_each(|_| budget.record_request(now));
    assert_eq!(take_all(&mut budget, now), 200);
    budget.set_percent(30);
    assert_eq!(take_all(&mut budget, now), 100);
}
