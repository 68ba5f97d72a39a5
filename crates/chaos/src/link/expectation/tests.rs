use std::time::Duration;

use super::{Expectation, Tally};
use crate::fault::ReorderPolicy;
use crate::link::{Impairment, Jitter, JitterLaw, LossLaw};

const LOSS: Impairment = Impairment::Loss(LossLaw::Bernoulli { share: 0.12 });
const DELAY: Impairment = Impairment::Delay {
    base: Duration::from_millis(40),
    jitter: Some(Jitter {
        law: JitterLaw::Uniform,
        spread: Duration::from_millis(40),
        hold: Duration::ZERO,
    }),
    reorder: ReorderPolicy::Preserve,
};

fn tally(sent: u64, received: u64, delay_ms: u64) -> Tally {
    let delay = Duration::from_millis(delay_ms);
    Tally {
        sent,
        received,
        delay_mean: delay,
        delay_min: delay,
        delay_max: delay,
        ..Tally::default()
    }
}

fn holds(impairments: &[Impairment], tally: &Tally) -> bool {
    Expectation::of(impairments).judge(tally).holds
}

#[test]
fn a_clean_lane_loses_and_delays_nothing() {
    assert!(Expectation::of(&[]).is_clean());
    assert!(holds(&[], &tally(500, 500, 0)));
    assert!(!holds(&[], &tally(500, 499, 0)));
    assert!(!holds(&[], &tally(500, 500, 40)));
    assert!(Expectation::of(&[]).judge(&tally(500, 500, 40)).only_late);
    assert!(!Expectation::of(&[]).judge(&tally(500, 499, 40)).only_late);
    let busy = Tally { delay_min: Duration::ZERO, ..tally(500, 500, 40) };
    assert!(holds(&[], &busy), "one was quick, so the machine was slow");
    assert!(!holds(&[], &Tally { copies: 1, ..tally(500, 500, 0) }));
    assert!(!holds(&[], &Tally { reordered: 1, ..tally(500, 500, 0) }));
}

#[test]
fn a_loss_that_does_nothing_or_too_much_does_not_hold() {
    let probes = Expectation::of(&[LOSS]).probes();
    assert!((100..200).contains(&probes), "{probes}");
    assert!(holds(&[LOSS], &tally(1_000, 880, 0)));
    assert!(!holds(&[LOSS], &tally(probes, probes, 0)), "none lost");
    assert!(!holds(&[LOSS], &tally(1_000, 700, 0)), "too many lost");
    assert!(!holds(&[LOSS], &tally(1_000, 960, 0)), "too few lost");
}

#[test]
fn losses_of_two_faults_combine() {
    let both = [LOSS, LOSS];
    assert!(holds(&both, &tally(10_000, 7_744, 0)));
    assert!(!holds(&both, &tally(10_000, 8_800, 0)));
    let cut = Expectation::of(&[LOSS, Impairment::Partition]);
    assert!(cut.is_cut());
    assert!(cut.judge(&tally(50, 0, 0)).holds);
    assert!(!cut.judge(&tally(50, 1, 0)).holds);
}

#[test]
fn a_delay_has_a_least_mean_and_a_longest() {
    assert!(holds(&[DELAY], &tally(32, 32, 40)));
    assert!(holds(&[DELAY], &tally(32, 32, 79)), "packets close together share the longest");
    assert!(!holds(&[DELAY], &tally(32, 32, 0)));
    assert!(!holds(&[DELAY], &tally(32, 32, 400)));
    assert_eq!(Expectation::of(&[DELAY]).patience(), Duration::from_millis(80));
}

#[test]
fn a_bottleneck_is_filled_and_timed() {
    let bandwidth =
        Impairment::Bandwidth { bytes_per_second: 1e6, burst_bytes: 0, queue_bytes: 1_000_000 };
    let expectation = Expectation::of(&[bandwidth]);
    let probes = expectation.probes();
    let bytes = (probes - 1) * expectation.probe_bytes() as u64;
    let timed = |span_ms| Tally {
        bytes,
        span: Duration::from_millis(span_ms),
        ..tally(probes, probes, span_ms)
    };
    assert!(expectation.judge(&timed(40)).holds, "{:?}", expectation.judge(&timed(40)));
    assert!(!expectation.judge(&timed(4)).holds);
}

#[test]
fn what_was_seen_is_told() {
    let judgement = Expectation::of(&[LOSS]).judge(&tally(1_000, 700, 0));
    assert!(judgement.seen.starts_with("300 of 1000 probes lost (30.00 %, asked 12.00 ±"));
    assert!(judgement.seen.contains('✗'), "{}", judgement.seen);
}
