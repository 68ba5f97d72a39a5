//! A search as charts for the report: latency over throughput, and throughput over concurrency with
//! the scalability law.

use super::super::output::Curve;
use super::FindMaxDocument;

/// Points of the fitted line.
const LINE_POINTS: usize = 60;

impl FindMaxDocument {
    /// Those that have points.
    pub(crate) fn curves(&self) -> Vec<Curve> {
        if self.curve.is_empty() {
            return Vec::new();
        }
        vec![self.latency(), self.scalability()]
    }

    fn latency(&self) -> Curve {
        let points = self.curve.iter().filter(|point| point.latency_ms.count > 0);
        Curve {
            title: "Latency by throughput".to_owned(),
            note: self.sentence(),
            x_unit: "right answers/s".to_owned(),
            y_unit: "ms".to_owned(),
            y_logarithmic: true,
            points_name: "p99, all trials at a rate".to_owned(),
            points: points.map(|point| (point.throughput_rps, point.latency_ms.p99)).collect(),
            mark: self.rate.map(|rate| (rate, "found".to_owned())),
            ..Curve::default()
        }
    }

    fn scalability(&self) -> Curve {
        let points: Vec<(f64, f64)> =
            self.curve.iter().map(|point| (point.concurrency, point.throughput_rps)).collect();
        let note = match (&self.usl, &self.usl_refused) {
            (Some(usl), _) => format!(
                "Universal scalability law: λ {:.1}/s, σ {:.5}, κ {:.3e}; R² {:.3}.",
                usl.law.lambda, usl.law.sigma, usl.law.kappa, usl.law.r_squared
            ),
            (None, refused) => {
                format!("No law was fitted: {}.", refused.as_deref().unwrap_or("no points"))
            }
        };
        let end = points.iter().map(|&(concurrency, _)| concurrency).fold(0.0, f64::max);
        let line = self.usl.iter().flat_map(|usl| {
            (0..=LINE_POINTS).map(move |step| {
                let concurrency = end * step as f64 / LINE_POINTS as f64;
                (concurrency, usl.law.throughput(concurrency))
            })
        });
        let peak = self.usl.and_then(|usl| usl.law.peak);
        Curve {
            title: "Throughput by concurrency".to_owned(),
            note,
            x_unit: "requests at the target".to_owned(),
            y_unit: "right answers/s".to_owned(),
            points_name: "measured".to_owned(),
            line_name: "by the law".to_owned(),
            line: line.collect(),
            // A peak far beyond what was measured would squeeze the points together.
            mark: peak
                .filter(|peak| peak.concurrency <= end * 2.0)
                .map(|peak| (peak.concurrency, "peak".to_owned())),
            points,
            ..Curve::default()
        }
    }
}
