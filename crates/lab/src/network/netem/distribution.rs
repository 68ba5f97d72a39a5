//! Tables of distributions for netem: numbers of which the kernel takes one at random for each packet.
//!
//! They are quantiles of the laws of [`JitterLaw`], evenly spaced, as many as the kernel takes. A table
//! holds multiples of the jitter that the kernel is told; where the law reaches beyond what an entry can
//! hold, that jitter is a multiple of the law's own.

use bulkhead_chaos::JitterLaw;

/// Entries, the most that the kernel takes (`NETEM_DIST_MAX`).
const ENTRIES: usize = 16_384;
/// What one jitter is in a table (`NETEM_DIST_SCALE`).
const SCALE: f64 = 8_192.0;
/// Bisections for a quantile of the normal law: more than the digits that are kept.
const BISECTIONS: usize = 40;

/// How many spreads of a law the jitter is that the kernel is told.
pub(super) const fn spreads(law: JitterLaw) -> u32 {
    match law {
        JitterLaw::Uniform | JitterLaw::Normal => 1,
        // 20 of them, a sixth at a time, are what an entry of 16 bits can hold.
        JitterLaw::Pareto => 6,
    }
}

/// The table of a law.
pub(super) fn table(law: JitterLaw) -> Vec<i16> {
    let unit = SCALE / f64::from(spreads(law));
    let middle = |place: usize| (place as f64 + 0.5) / ENTRIES as f64;
    (0..ENTRIES).map(|place| (quantile(law, middle(place)) * unit).round() as i16).collect()
}

/// The value, in spreads, below which this share of the draws is.
fn quantile(law: JitterLaw, share: f64) -> f64 {
    match law {
        JitterLaw::Uniform => 2.0 * share - 1.0,
        JitterLaw::Normal => normal_quantile(share),
        JitterLaw::Pareto => {
            let value = (1.0 - share).powf(-1.0 / JitterLaw::PARETO_SHAPE) - 1.0;
            value.min(law.largest())
        }
    }
}

/// Of the normal law without what lies beyond three deviations, by bisection of its integral.
fn normal_quantile(share: f64) -> f64 {
    let (mut low, mut high) = (-JitterLaw::SIGMA_MAX, JitterLaw::SIGMA_MAX);
    let half = half_below(JitterLaw::SIGMA_MAX);
    for _ in 0..BISECTIONS {
        let middle = f64::midpoint(low, high);
        let below = 0.5 + 0.5 * half_below(middle) / half;
        if below < share { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The integral of e^(−t²/2) from 0 to `z`, which is at most three: by its series, whose terms vanish
/// before 40 of them.
fn half_below(z: f64) -> f64 {
    let (mut term, mut sum) = (z, z);
    for number in 1..40 {
        let n = f64::from(number);
        term *= -z * z / (2.0 * n);
        sum += term / (2.0 * n + 1.0);
    }
    sum
}

#[cfg(test)]
mod tests {
    use bulkhead_chaos::JitterLaw;
    use bulkhead_testkit::{largest_distance, normal_within_three, pareto_within_twenty};

    use super::{ENTRIES, SCALE, spreads, table};

    /// How likely a value is at most so many spreads.
    type Distribution = fn(f64) -> f64;

    /// In spreads.
    fn values(law: JitterLaw) -> Vec<f64> {
        let entries = table(law);
        entries.iter().map(|&it| f64::from(it) * f64::from(spreads(law)) / SCALE).collect()
    }

    #[test]
    fn tables_have_the_laws_of_the_packet_box() {
        let even = |value: f64| f64::midpoint(value, 1.0).clamp(0.0, 1.0);
        let laws: [(JitterLaw, Distribution); 3] = [
            (JitterLaw::Uniform, even),
            (JitterLaw::Normal, normal_within_three),
            (JitterLaw::Pareto, pareto_within_twenty),
        ];
        for (law, distribution) in laws {
            let mut values = values(law);
            assert_eq!(values.len(), ENTRIES);
            let distance = largest_distance(&mut values, distribution);
            // Pareto's entries are a 1,365th of a scale apart, where it begins with a slope of 3.
            assert!(distance < 0.002, "{law:?}: {distance}");
            let mean = values.iter().sum::<f64>() / ENTRIES as f64;
            assert!((mean - law.mean()).abs() < 0.001, "{law:?}: {mean}");
            let square = values.iter().map(|it| (it - mean).powi(2)).sum::<f64>();
            let deviation = (square / ENTRIES as f64).sqrt();
            assert!((deviation - law.deviation()).abs() < 0.01, "{law:?}: {deviation}");
        }
    }

    #[test]
    fn the_tail_of_pareto_fits_into_an_entry() {
        let table = table(JitterLaw::Pareto);
        assert_eq!(table.iter().max(), Some(&((20.0 * SCALE / 6.0).round() as i16)));
        assert!(table.is_sorted() && table[0] >= 0);
    }
}
