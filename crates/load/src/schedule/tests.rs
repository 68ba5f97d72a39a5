use super::*;

fn schedule(process: Process) -> Schedule {
    Schedule::constant(1_000.0, process, 5)
}

fn phases(phases: &[(u64, f64, f64)]) -> Schedule {
    let phases = phases
        .iter()
        .map(|&(s, from, to)| Phase { duration: Duration::from_secs(s), from, to })
        .collect();
    let timing = Timing::Phases { phases, process: Process::Constant };
    Schedule { timing, tick: Duration::ZERO, seed: 5 }
}

#[test]
fn constant_gaps_are_constant_and_parts_interleave() {
    let schedule = schedule(Process::Constant);
    let whole: Vec<u64> = schedule.times(0, 1).take(4).collect();
    assert_eq!(whole, [0, 1_000_000, 2_000_000, 3_000_000]);
    let mut both: Vec<u64> =
        (0..2).flat_map(|part| schedule.times(part, 2).take(2).collect::<Vec<_>>()).collect();
    both.sort_unstable();
    assert_eq!(both, whole);
    assert_eq!(schedule.duration(), None);
}

#[test]
fn poisson_keeps_the_rate_and_its_gaps_vary_as_they_should() {
    let times: Vec<u64> = schedule(Process::Poisson).times(0, 1).take(50_000).collect();
    let mean = *times.last().unwrap() as f64 / times.len() as f64;
    assert!((mean / 1e6 - 1.0).abs() < 0.02, "{mean}");
    let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    assert!((variance.sqrt() / mean - 1.0).abs() < 0.05, "exponential: deviation = mean");
    assert!(times.is_sorted());
}

#[test]
fn a_seed_gives_the_same_times_and_parts_differ() {
    let schedule = schedule(Process::Poisson);
    let take = |part| schedule.times(part, 2).take(100).collect::<Vec<_>>();
    assert_eq!(take(0), take(0));
    assert_ne!(take(0), take(1));
}

#[test]
fn ticks_move_times_up_and_never_down() {
    let exact = schedule(Process::Poisson);
    let ticked = exact.clone().with_tick(Duration::from_micros(500));
    for (exact, ticked) in exact.times(0, 1).zip(ticked.times(0, 1)).take(1_000) {
        assert!(ticked % 500_000 == 0 && ticked >= exact && ticked - exact < 500_000);
    }
}

#[test]
fn steps_have_their_rates_and_then_it_ends() {
    let schedule = phases(&[(2, 10.0, 10.0), (1, 0.0, 0.0), (1, 100.0, 100.0)]);
    let times: Vec<u64> = schedule.times(0, 1).collect();
    let within = |from_s: u64, to_s: u64| {
        let range = from_s * 1_000_000_000..to_s * 1_000_000_000;
        times.iter().filter(|time| range.contains(time)).count()
    };
    assert_eq!((within(0, 2), within(2, 3), within(3, 4)), (20, 0, 100));
    assert_eq!((times.len(), schedule.duration()), (120, Some(Duration::from_secs(4))));
}

#[test]
fn a_ramp_gets_denser_as_its_rate_grows_and_parts_share_it() {
    // 0 to 200 per second over 10 s: 1,000 requests, a quarter of them in the first half.
    let schedule = phases(&[(10, 0.0, 200.0)]);
    let times: Vec<u64> = schedule.times(0, 1).collect();
    assert_eq!(times.len(), 1_000);
    assert_eq!(times.iter().filter(|&&time| time < 5_000_000_000).count(), 250);
    assert!(times.is_sorted());
    let mut parts: Vec<u64> = (0..3).flat_map(|part| schedule.times(part, 3)).collect();
    parts.sort_unstable();
    assert_eq!(parts, times);
    // And down again, at any point as steep as up.
    let down: Vec<u64> = phases(&[(10, 200.0, 0.0)]).times(0, 1).collect();
    assert_eq!(down.iter().filter(|&&time| time < 5_000_000_000).count(), 750);
    assert!(down.iter().all(|&time| time < 10_000_000_000));
}

#[test]
fn recorded_times_are_kept_and_shared_in_turn() {
    let timing = Timing::Recorded([5, 7, 7, 20].into());
    let schedule = Schedule { timing, tick: Duration::ZERO, seed: 0 };
    assert_eq!(schedule.times(0, 1).collect::<Vec<_>>(), [5, 7, 7, 20]);
    assert_eq!(schedule.times(1, 2).collect::<Vec<_>>(), [7, 20]);
    assert_eq!(schedule.duration(), Some(Duration::from_nanos(21)));
}
