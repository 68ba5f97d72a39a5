//! What `k` of `n` trials say about the share of trials that hold.

/// Two-sided 95 % quantile of the normal distribution.
const Z: f64 = 1.959_963_985;

/// Trials at one rate, with Wilson's interval at 95 % for the share that holds. Wilson's, because it
/// stays honest for five of five, where the usual interval has no width.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Confidence {
    /// Trials that held.
    pub held: u32,
    /// Trials.
    pub of: u32,
    /// Lower end of the interval, 0 to 1.
    pub low: f64,
    /// Upper end of the interval, 0 to 1.
    pub high: f64,
}

impl Confidence {
    /// Of `held` out of `of` trials. Without trials nothing is known: 0 to 1.
    pub fn new(held: u32, of: u32) -> Self {
        if of == 0 {
            return Self { held, of, low: 0.0, high: 1.0 };
        }
        let (n, share) = (f64::from(of), f64::from(held) / f64::from(of));
        let whole = 1.0 + Z * Z / n;
        let centre = (share + Z * Z / (2.0 * n)) / whole;
        let half = Z / whole * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        Self { held, of, low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
    }
}

#[cfg(test)]
mod tests;
