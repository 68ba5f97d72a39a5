//! Whether chances follow the laws that were asked for: chi-square and Kolmogorov-Smirnov tests on
//! 100,000 packets. Seeds are fixed, so that a verdict never changes; critical values are those of
//! one false alarm in a thousand.

use std::time::Duration;

use bulkhead_testkit::{largest_distance, normal_within_three, pareto_within_twenty};

use super::{lane, ms};
use crate::fault::ReorderPolicy;
use crate::link::{Impairment, Jitter, JitterLaw, LossLaw, PacketKind};

const PACKETS: usize = 100_000;
/// χ² with 100 degrees of freedom, 0.999 quantile.
const CHI_SQUARE_100: f64 = 149.449;
/// χ² with 9 degrees of freedom, 0.999 quantile.
const CHI_SQUARE_9: f64 = 27.877;
/// Kolmogorov's distribution, 0.999 quantile.
const KOLMOGOROV: f64 = 1.949;

fn survivors(law: LossLaw, seed: u64) -> Vec<bool> {
    let mut lane = lane(&[Impairment::Loss(law)], seed);
    (0..PACKETS)
        .map(|_| {
            let kept = lane.push(ms(0), 100, 0, PacketKind::Other).copies == 1;
            lane.pop(ms(0));
            kept
        })
        .collect()
}

fn chi_square(observed: &[f64], expected: &[f64]) -> f64 {
    observed.iter().zip(expected).map(|(o, e)| (o - e).powi(2) / e).sum()
}

#[test]
fn bernoulli_losses_are_independent_with_the_share_asked_for() {
    for (share, seed) in [(0.12, 1), (0.01, 2), (0.5, 3), (0.061_9, 4)] {
        let kept = survivors(LossLaw::Bernoulli { share }, seed);
        let lost = kept.iter().filter(|&&kept| !kept).count();
        let measured = lost as f64 / PACKETS as f64;
        assert!((measured - share).abs() < 0.01, "{measured} for {share}");

        // 100 blocks of 1,000: each has its own count, lost and kept are one degree of freedom.
        let statistic: f64 = kept
            .chunks(1_000)
            .map(|block| {
                let lost = block.iter().filter(|&&kept| !kept).count() as f64;
                chi_square(&[lost, 1e3 - lost], &[1e3 * share, 1e3 * (1.0 - share)])
            })
            .sum();
        assert!(statistic < CHI_SQUARE_100, "{statistic} for {share}");
    }
}

#[test]
fn lengths_of_bursts_are_geometric() {
    // Bernoulli is the chain whose next state does not depend on the last.
    for (law, goes_on, seed) in [
        (LossLaw::Bernoulli { share: 0.2 }, 0.2, 5),
        (
            LossLaw::GilbertElliott {
                to_bad: 0.02,
                to_good: 0.25,
                loss_in_bad: 1.0,
                loss_in_good: 0.0,
            },
            0.75,
            6,
        ),
    ] {
        let kept = survivors(law, seed);
        let bursts: Vec<usize> =
            kept.split(|&kept| kept).map(<[bool]>::len).filter(|&length| length > 0).collect();
        let count = bursts.len() as f64;
        let mut observed = [0.0; 10];
        for &length in &bursts {
            observed[(length - 1).min(9)] += 1.0;
        }
        let expected: Vec<f64> = (0..10)
            .map(|place| {
                let tail = f64::powi(goes_on, place);
                count * if place == 9 { tail } else { tail * (1.0 - goes_on) }
            })
            .collect();
        // Classes with too few expectations count as one, or the statistic is not χ².
        let few = expected.iter().position(|&e| e < 5.0).unwrap_or(10).max(2);
        let merged = |values: &[f64]| {
            let mut all = values[..few - 1].to_vec();
            all.push(values[few - 1..].iter().sum());
            all
        };
        let statistic = chi_square(&merged(&observed), &merged(&expected));
        assert!(statistic < CHI_SQUARE_9, "{statistic}: {observed:?} for {expected:?}");
    }
}

#[test]
fn a_gilbert_elliott_chain_loses_its_long_run_share() {
    let law = LossLaw::GilbertElliott {
        to_bad: 0.02,
        to_good: 0.1,
        loss_in_bad: 0.6,
        loss_in_good: 0.01,
    };
    let lost = survivors(law, 8).iter().filter(|&&kept| !kept).count() as f64;
    assert!((lost / PACKETS as f64 - law.mean()).abs() < 0.01, "{lost} for {}", law.mean());
    assert!((law.mean() - 0.108_333).abs() < 1e-6);
    // The spread of counts over blocks is the one that verification reckons with.
    let block = 2_000;
    let counts: Vec<f64> = survivors(law, 9)
        .chunks(block)
        .map(|kept| kept.iter().filter(|&&kept| !kept).count() as f64)
        .collect();
    let mean = counts.iter().sum::<f64>() / counts.len() as f64;
    let variance =
        counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / (counts.len() - 1) as f64;
    let independent = block as f64 * law.mean() * (1.0 - law.mean());
    let ratio = variance / independent / law.dispersion();
    assert!((0.5..1.7).contains(&ratio), "{ratio}, dispersion {}", law.dispersion());
}

#[test]
fn the_nth_is_exact() {
    let kept = survivors(LossLaw::Nth { every: 8 }, 1);
    assert!(kept.iter().enumerate().all(|(place, &kept)| kept == (place % 8 != 7)));
}

/// Delays of packets that come one after the other has left, in milliseconds.
fn delays(law: JitterLaw, base: u64, spread: u64, seed: u64) -> Vec<f64> {
    let jitter = Jitter { law, spread: ms(spread), hold: Duration::ZERO };
    let delay = Impairment::Delay {
        base: ms(base),
        jitter: Some(jitter),
        reorder: ReorderPolicy::Preserve,
    };
    let mut lane = lane(&[delay], seed);
    (0..PACKETS as u64)
        .map(|number| {
            let now = ms(number * 10_000);
            lane.push(now, 100, 0, PacketKind::Other);
            let released = lane.pop(now + ms(9_999)).unwrap();
            (released.due - now).as_secs_f64() * 1e3
        })
        .collect()
}

/// The test's statistic.
fn kolmogorov(sample: &mut [f64], law: impl Fn(f64) -> f64) -> f64 {
    largest_distance(sample, law) * (sample.len() as f64).sqrt()
}

#[test]
fn jitter_follows_its_law() {
    let mut uniform = delays(JitterLaw::Uniform, 40, 40, 11);
    let statistic = kolmogorov(&mut uniform, |ms| (ms / 80.0).clamp(0.0, 1.0));
    assert!(statistic < KOLMOGOROV, "uniform: {statistic}");

    let mut gaussian = delays(JitterLaw::Normal, 60, 20, 12);
    let statistic = kolmogorov(&mut gaussian, |ms| normal_within_three((ms - 60.0) / 20.0));
    assert!(statistic < KOLMOGOROV, "normal: {statistic}");

    let mut pareto = delays(JitterLaw::Pareto, 10, 20, 13);
    let statistic = kolmogorov(&mut pareto, |ms| pareto_within_twenty((ms - 10.0) / 20.0));
    assert!(statistic < KOLMOGOROV, "pareto: {statistic}");
}

#[test]
fn moments_are_those_that_verification_reckons_with() {
    for (law, seed) in [(JitterLaw::Uniform, 21), (JitterLaw::Normal, 22), (JitterLaw::Pareto, 23)]
    {
        let sample = delays(law, 60, 20, seed);
        let count = sample.len() as f64;
        let mean = sample.iter().sum::<f64>() / count;
        let deviation = (sample.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt();
        assert!((mean - 60.0 - 20.0 * law.mean()).abs() < 0.5, "{law:?}: mean {mean}");
        assert!((deviation - 20.0 * law.deviation()).abs() < 1.0, "{law:?}: {deviation}");
    }
}

/// Share of the packets that a lane strikes, by its own count and by what leaves.
#[test]
fn shares_of_copies_turned_bits_and_overtaken_packets_are_those_asked_for() {
    let share = 0.05;
    let hold_back = Duration::from_millis(2);
    let mut lane = lane(
        &[
            Impairment::Reorder { share, hold_back },
            Impairment::Corrupt { share },
            Impairment::Duplicate { share },
        ],
        31,
    );
    let mut bits = [0.0; 10];
    for number in 0..PACKETS as u64 {
        let now = Duration::from_micros(number * 200);
        lane.push(now, 100, 0, PacketKind::Other);
        while let Some(released) = lane.pop(now) {
            if let Some(bit) = released.flip {
                assert!(bit < 800);
                bits[bit as usize / 80] += 1.0;
            }
        }
    }
    let counts = lane.counts();
    let share_of = |count: u64| count as f64 / PACKETS as f64;
    assert!((share_of(counts.duplicated) - share).abs() < 0.01, "{counts:?}");
    assert!((share_of(counts.corrupted) - share * (1.0 + share)).abs() < 0.01, "{counts:?}");
    assert!((share_of(counts.reordered) - share * (1.0 + share)).abs() < 0.01, "{counts:?}");
    // Bits are turned everywhere alike.
    let expected = [bits.iter().sum::<f64>() / 10.0; 10];
    assert!(chi_square(&bits, &expected) < CHI_SQUARE_9, "{bits:?}");
}
