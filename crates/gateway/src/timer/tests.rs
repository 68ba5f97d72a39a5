use super::*;

fn owner(number: u64) -> Owner {
    Owner::Exchange(Key::from_tag(number))
}

fn fired(wheel: &mut TimerWheel, now: Instant) -> Vec<Owner> {
    let mut fired = Vec::new();
    wheel.advance(now, &mut fired);
    fired
}

#[test]
fn never_early_and_at_most_two_ticks_late() {
    let start = Instant::now();
    let mut wheel = TimerWheel::new(start);
    for ms in [0u64, 1, 3, 4, 5, 17, 999, 16_383, 16_384, 16_400, 70_000] {
        let at = start + Duration::from_millis(ms);
        wheel.set(at.max(start), owner(ms));
    }
    let mut seen = Vec::new();
    for ms in 0..70_020 {
        for fired in fired(&mut wheel, start + Duration::from_millis(ms)) {
            let Owner::Exchange(key) = fired else { unreachable!() };
            let due = key.to_tag();
            assert!(ms >= due && ms <= due + 2 * TICK_MS, "due {due}, fired {ms}");
            seen.push(due);
        }
    }
    assert_eq!(seen.len(), 11);
    assert_eq!(wheel.next_in(start), None);
}

#[test]
fn cancelled_timers_do_not_fire_and_leave_no_trace() {
    let start = Instant::now();
    let mut wheel = TimerWheel::new(start);
    let at = start + Duration::from_millis(40);
    let ids: Vec<_> = (0..5).map(|n| wheel.set(at, owner(n))).collect();
    for id in [ids[2], ids[0], ids[4]] {
        wheel.cancel(id);
    }
    let mut left = fired(&mut wheel, start + Duration::from_millis(100));
    left.sort_by_key(|owner| format!("{owner:?}"));
    assert_eq!(left, [owner(1), owner(3)]);
    assert_eq!(wheel.next_in(start), None);
}

#[test]
fn a_long_sleep_fires_everything_that_is_due() {
    let start = Instant::now();
    let mut wheel = TimerWheel::new(start);
    for n in 0..10_000u64 {
        wheel.set(start + Duration::from_millis(n * 7), owner(n));
    }
    assert_eq!(fired(&mut wheel, start + Duration::from_secs(3600)).len(), 10_000);
}

#[test]
fn next_in_is_a_lower_bound() {
    let start = Instant::now();
    let mut wheel = TimerWheel::new(start);
    wheel.set(start + Duration::from_millis(1_000), owner(1));
    let wait = wheel.next_in(start).unwrap();
    assert!(wait >= Duration::from_millis(1_000) && wait <= Duration::from_millis(1_008));
    fired(&mut wheel, start + Duration::from_millis(996));
    assert!(
        wheel.next_in(start + Duration::from_millis(996)).unwrap() <= Duration::from_millis(12)
    );
}
