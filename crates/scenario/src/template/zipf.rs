//! Zipf-distributed numbers by rejection-inversion (Hörmann and Derflinger, 1996): no table, whatever
//! the range.

use bulkhead_load::Random;

/// The value `k` of `1..=count` is as likely as `k^-exponent`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Zipf {
    low: u64,
    count: f64,
    exponent: f64,
    integral_first: f64,
    integral_last: f64,
    shortcut: f64,
}

impl Zipf {
    /// Numbers from `low` on, the first the most frequent. `exponent` is over 0.
    pub(crate) fn new(low: u64, count: u64, exponent: f64) -> Self {
        let mut zipf = Self {
            low,
            count: count as f64,
            exponent,
            integral_first: 0.0,
            integral_last: 0.0,
            shortcut: 0.0,
        };
        zipf.integral_first = zipf.integral(1.5) - 1.0;
        zipf.integral_last = zipf.integral(zipf.count + 0.5);
        zipf.shortcut = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.density(2.0));
        zipf
    }

    /// Draws one.
    pub(crate) fn draw(&self, random: &mut Random) -> u64 {
        // Each try succeeds with more than 0.7; a limit keeps even a broken generator from hanging.
        for _ in 0..64 {
            let area =
                self.integral_last + random.unit() * (self.integral_first - self.integral_last);
            let place = self.inverse(area);
            let rank = place.round().clamp(1.0, self.count);
            if rank - place <= self.shortcut
                || area >= self.integral(rank + 0.5) - self.density(rank)
            {
                return self.low + (rank as u64 - 1);
            }
        }
        self.low
    }

    fn density(&self, place: f64) -> f64 {
        (-self.exponent * place.ln()).exp()
    }

    /// Of the density.
    fn integral(&self, place: f64) -> f64 {
        let log = place.ln();
        grown_share((1.0 - self.exponent) * log) * log
    }

    fn inverse(&self, area: f64) -> f64 {
        let scaled = (area * (1.0 - self.exponent)).max(-1.0);
        (log_share(scaled) * area).exp()
    }
}

/// `(exp(x) - 1) / x`, also near 0.
fn grown_share(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.exp_m1() / x } else { 1.0 + x / 2.0 }
}

/// `ln(1 + x) / x`, also near 0.
fn log_share(x: f64) -> f64 {
    if x.abs() > 1e-8 { x.ln_1p() / x } else { 1.0 - x / 2.0 }
}
