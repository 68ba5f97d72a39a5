//! Gunther's universal scalability law, fitted to measured points. Refuses, and says why, where a fit
//! would say nothing.
//!
//! `X(N) = λN / (1 + σ(N−1) + κN(N−1))`: throughput over mean concurrency, with contention σ and
//! crosstalk κ. `N/X` is linear in `1/λ`, `σ/λ` and `κ/λ`, so least squares in `X` are found by
//! weighting the linear problem with `(X·X̂/N)²`, a few times over. Coefficients below 0 mean nothing;
//! they are held at 0 and the others fitted again.

mod linear;

use linear::{TERMS, solve};

/// Points at different concurrency that a fit needs.
pub const POINTS_MIN: usize = 4;
/// The highest concurrency has to be so many times the lowest.
pub const SPREAD_MIN: f64 = 1.5;
/// A fit that explains less of the variance is refused.
pub const R_SQUARED_MIN: f64 = 0.7;
/// Concurrencies that differ by less than this share are one.
const SAME: f64 = 0.01;
/// Rounds of weighting; it settles within five.
const ROUNDS: usize = 30;

/// Mean concurrency and throughput.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Mean requests at the target.
    pub concurrency: f64,
    /// Right answers per second.
    pub throughput_rps: f64,
}

/// The law's coefficients.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Scalability {
    /// λ: throughput at a concurrency of 1, per second.
    pub lambda: f64,
    /// σ: share of the work that is done one after the other (contention).
    pub sigma: f64,
    /// κ: cost of keeping each two in agreement (crosstalk).
    pub kappa: f64,
    /// Share of the throughput's variance that is explained.
    pub r_squared: f64,
    /// Where throughput is highest; `None`: it only levels off, as there is no crosstalk.
    pub peak: Option<Peak>,
}

/// The highest point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Peak {
    /// Mean requests at the target: `sqrt((1−σ)/κ)`.
    pub concurrency: f64,
    /// Right answers per second there.
    pub throughput_rps: f64,
}

/// Why there is no fit.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum FitRefused {
    /// Too few points.
    #[error("{0} points at different concurrency; {POINTS_MIN} are needed")]
    FewPoints(usize),
    /// All points are close together.
    #[error("the concurrency of the points differs by a factor of {0:.2}; {SPREAD_MIN} is needed")]
    Narrow(f64),
    /// No coefficients that mean anything.
    #[error("the points follow no law with positive coefficients")]
    Meaningless,
    /// The law does not describe the points.
    #[error("the law explains {:.0} % of the variance; {:.0} % is needed", .0 * 100.0, R_SQUARED_MIN * 100.0)]
    Poor(f64),
}

impl Scalability {
    /// Fits the law. Points without throughput or concurrency are left out.
    ///
    /// # Errors
    /// Why a fit would say nothing.
    pub fn fit(points: &[Point]) -> Result<Self, FitRefused> {
        let usable = |value: f64| value.is_finite() && value > 0.0;
        let mut points: Vec<Point> = points
            .iter()
            .copied()
            .filter(|point| usable(point.concurrency) && usable(point.throughput_rps))
            .collect();
        points.sort_by(|a, b| a.concurrency.total_cmp(&b.concurrency));
        let same = |a: &Point, b: &Point| b.concurrency <= a.concurrency * (1.0 + SAME);
        let distinct = points.chunk_by(same).count();
        if distinct < POINTS_MIN {
            return Err(FitRefused::FewPoints(distinct));
        }
        let spread = points[points.len() - 1].concurrency / points[0].concurrency;
        if spread < SPREAD_MIN {
            return Err(FitRefused::Narrow(spread));
        }
        // All three; without crosstalk; without contention; neither.
        let best = [[true, true, true], [true, true, false], [true, false, true]]
            .into_iter()
            .filter_map(|terms| Self::with_terms(&points, terms))
            .max_by(|a, b| a.r_squared.total_cmp(&b.r_squared));
        let best = best.or_else(|| Self::with_terms(&points, [true, false, false]));
        match best {
            None => Err(FitRefused::Meaningless),
            Some(fit) if fit.r_squared < R_SQUARED_MIN => Err(FitRefused::Poor(fit.r_squared)),
            Some(fit) => Ok(fit),
        }
    }

    /// Throughput at a concurrency.
    pub fn throughput(&self, concurrency: f64) -> f64 {
        let n = concurrency;
        self.lambda * n / (1.0 + self.sigma * (n - 1.0) + self.kappa * n * (n - 1.0))
    }

    fn with_terms(points: &[Point], terms: [bool; TERMS]) -> Option<Self> {
        let mut predicted: Vec<f64> = points.iter().map(|point| point.throughput_rps).collect();
        let mut fit = None;
        for _ in 0..ROUNDS {
            let rows = points.iter().zip(&predicted).map(|(point, &predicted)| {
                let (n, x) = (point.concurrency, point.throughput_rps);
                ([1.0, n - 1.0, n * (n - 1.0)], n / x, (x * predicted / n).powi(2))
            });
            let [a, b, c] = solve(rows, terms)?;
            // σ below 1, or nothing would be left of the throughput of one.
            if a <= 0.0 || b < 0.0 || c < 0.0 || b >= a {
                return None;
            }
            let next = Self::new(1.0 / a, b / a, c / a);
            predicted = points.iter().map(|point| next.throughput(point.concurrency)).collect();
            if predicted.iter().any(|value| !value.is_finite() || *value <= 0.0) {
                return None;
            }
            fit = Some(next);
        }
        fit.map(|fit| Self { r_squared: r_squared(points, &predicted), ..fit })
    }

    fn new(lambda: f64, sigma: f64, kappa: f64) -> Self {
        let mut fit = Self { lambda, sigma, kappa, r_squared: 0.0, peak: None };
        if kappa > 0.0 {
            let concurrency = ((1.0 - sigma) / kappa).sqrt();
            fit.peak = Some(Peak { concurrency, throughput_rps: fit.throughput(concurrency) });
        }
        fit
    }
}

fn r_squared(points: &[Point], predicted: &[f64]) -> f64 {
    let mean = points.iter().map(|point| point.throughput_rps).sum::<f64>() / points.len() as f64;
    let total: f64 = points.iter().map(|point| (point.throughput_rps - mean).powi(2)).sum();
    let residual: f64 = points
        .iter()
        .zip(predicted)
        .map(|(point, predicted)| (point.throughput_rps - predicted).powi(2))
        .sum();
    1.0 - residual / total.max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests;
