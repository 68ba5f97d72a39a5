//! Resident memory over time: its slope by least squares, and how sure that is.
//!
//! Memory of two seconds that follow each other is nearly the same, so the distances of single samples
//! from the line say too little: samples are averaged in [`BLOCKS`] blocks first, and the confidence
//! interval is that of a line through the blocks.

use serde::Serialize;

/// Blocks that samples are averaged in.
const BLOCKS: usize = 20;
/// Student's t for 18 degrees of freedom, two sides, 95 %.
const T_95: f64 = 2.101;
/// Fewer seconds say nothing of a slope per minute: caches, pools and the allocator are still filling.
const SECONDS_MIN: usize = 600;
/// The largest slope that is taken for none, KiB per minute. Each minute has 60 reloads, some 20 kills, 10
/// swaps of certificates and thousands of requests: 1 KiB lost with each reload would be 60.
pub(super) const SLOPE_KIB_MAX: f64 = 60.0;

/// What the samples say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Slope {
    /// KiB per minute.
    pub(super) kib_per_minute: f64,
    /// Half the width of the 95 % confidence interval.
    pub(super) plus_minus: f64,
    /// Seconds that it is of.
    pub(super) seconds: usize,
}

impl Slope {
    /// Of a sample per second, in KiB, without the first third: until then caches fill. `None`: too few.
    pub(super) fn of(samples: &[u64]) -> Option<Self> {
        let settled = samples.get(samples.len() / 3..)?;
        let size = settled.len() / BLOCKS;
        if size == 0 {
            return None;
        }
        let means: Vec<f64> = settled
            .chunks_exact(size)
            .take(BLOCKS)
            .map(|block| block.iter().map(|&sample| sample as f64).sum::<f64>() / size as f64)
            .collect();
        let (slope, error) = line(&means);
        let per_minute = 60.0 / size as f64;
        Some(Self {
            kib_per_minute: slope * per_minute,
            plus_minus: T_95 * error * per_minute,
            seconds: settled.len(),
        })
    }

    /// Does memory surely grow faster than it may? Of a run too short nobody knows.
    pub(super) fn grows(&self) -> bool {
        self.is_judged() && self.kib_per_minute - self.plus_minus > SLOPE_KIB_MAX
    }

    /// Is it long enough to be judged?
    pub(super) const fn is_judged(&self) -> bool {
        self.seconds >= SECONDS_MIN
    }
}

/// Slope of the line through values at 0, 1, 2, …, and the slope's standard error.
fn line(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let (middle, mean) = ((count - 1.0) / 2.0, values.iter().sum::<f64>() / count);
    let places = || values.iter().enumerate().map(|(place, value)| (place as f64 - middle, value));
    let spread: f64 = places().map(|(place, _)| place * place).sum();
    let slope = places().map(|(place, value)| place * (value - mean)).sum::<f64>() / spread;
    let rest: f64 = places().map(|(place, value)| (value - mean - slope * place).powi(2)).sum();
    (slope, (rest / (count - 2.0) / spread).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1800 s, the first third climbing steeply; then `kib` per minute with noise of 100 KiB.
    fn samples(kib: f64) -> Vec<u64> {
        let sample = |second: u64| match second {
            0..600 => second * 10,
            _ => 40_000 + ((second as f64 / 60.0) * kib) as u64 + second * 7_919 % 100,
        };
        (0..1_800).map(sample).collect()
    }

    #[test]
    fn a_leak_is_found_and_noise_is_none() {
        let flat = Slope::of(&samples(0.0)).unwrap();
        assert!(flat.kib_per_minute.abs() < 2.0 && !flat.grows(), "{flat:?}");
        let leak = Slope::of(&samples(100.0)).unwrap();
        assert!((leak.kib_per_minute - 100.0).abs() < 3.0 && leak.grows(), "{leak:?}");
        assert!(leak.plus_minus < 5.0, "{leak:?}");
        let small = Slope::of(&samples(40.0)).unwrap();
        assert!(!small.grows(), "{small:?}");
    }

    #[test]
    fn a_short_run_is_not_judged() {
        let short = Slope::of(&samples(10_000.0)[..500]).unwrap();
        assert!(!short.is_judged() && !short.grows());
        assert_eq!(Slope::of(&[1; 20]), None);
    }

    #[test]
    fn the_line_is_that_of_the_textbook() {
        // By hand: slope 0.6, residuals ±…, standard error 0.2828.
        let (slope, error) = line(&[2.0, 4.0, 5.0, 4.0, 5.0]);
        assert!((slope - 0.6).abs() < 1e-12);
        assert!((error - 0.282_842_712).abs() < 1e-6, "{error}");
    }
}
