//! Laws of chance, to compare samples with. Written down here again, so that what draws by a law is not
//! judged by its own formula.

/// Largest distance between the sample's distribution and the law's (Kolmogorov and Smirnov); times the
/// root of the count it is below 1.949 in 999 of 1,000 samples of the law. Sorts the sample.
pub fn largest_distance(sample: &mut [f64], law: impl Fn(f64) -> f64) -> f64 {
    sample.sort_by(f64::total_cmp);
    let count = sample.len() as f64;
    let distances = sample.iter().enumerate().map(|(place, &value)| {
        let (below, above) = (place as f64 / count, (place + 1) as f64 / count);
        (law(value) - below).abs().max((law(value) - above).abs())
    });
    distances.fold(0.0, f64::max)
}

/// The normal law cut off at three standard deviations: how likely a value is at most `z` of them above
/// the mean.
pub fn normal_within_three(z: f64) -> f64 {
    let outside = normal(-3.0);
    ((normal(z) - outside) / (1.0 - 2.0 * outside)).clamp(0.0, 1.0)
}

/// Φ by Abramowitz and Stegun 7.1.26; its error of 1.5e-7 is far below distances of samples.
fn normal(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let sum = t
        * (0.254_829_592
            + t * (-0.284_496_736
                + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let erf = 1.0 - sum * (-x * x).exp();
    0.5 * (1.0 + z.signum() * erf)
}

/// Pareto's law of shape 3, shifted to begin at 0 and cut off at 20 scales.
pub fn pareto_within_twenty(scales: f64) -> f64 {
    if scales >= 20.0 { 1.0 } else { 1.0 - (1.0 + scales.max(0.0)).powi(-3) }
}
