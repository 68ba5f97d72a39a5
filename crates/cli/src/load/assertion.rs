//! What must hold after a run: `p99<10ms`, `error_rate<0.1%`, `throughput>=900`.

use bulkhead_load::{LoadReport, Summary};

/// A condition on a report.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Assertion {
    text: String,
    metric: Metric,
    order: Order,
    /// Milliseconds, a share, requests per second or a count, as the metric has it.
    limit: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Metric {
    Latency(Point),
    Service(Point),
    ErrorRate,
    Throughput,
    Failed,
    Unsent,
    Late,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    P50,
    P90,
    P99,
    P999,
    Max,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Assertion {
    /// Reads one.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let at = text.find(['<', '>']).ok_or("expected `METRIC<VALUE`, such as `p99<10ms`")?;
        let (name, rest) = text.split_at(at);
        let (order, value) = match rest.as_bytes() {
            [b'<', b'=', ..] => (Order::AtMost, &rest[2..]),
            [b'>', b'=', ..] => (Order::AtLeast, &rest[2..]),
            [b'<', ..] => (Order::Below, &rest[1..]),
            _ => (Order::Above, &rest[1..]),
        };
        let metric = Metric::parse(name.trim())?;
        let limit = metric.parse_limit(value.trim())?;
        Ok(Self { text: text.to_owned(), metric, order, limit })
    }

    /// As it was typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it holds. `None`: there is nothing to judge, which counts as failed: no latency is
    /// below a limit when no answer was right.
    pub(crate) fn holds(&self, report: &LoadReport) -> Option<bool> {
        let value = self.metric.of(report)?;
        Some(match self.order {
            Order::Below => value < self.limit,
            Order::AtMost => value <= self.limit,
            Order::Above => value > self.limit,
            Order::AtLeast => value >= self.limit,
        })
    }
}

impl Metric {
    fn parse(name: &str) -> Result<Self, String> {
        let (service, point) = match name.strip_prefix("service_") {
            Some(point) => (true, point),
            None => (false, name),
        };
        let point = match point {
            "p50" => Some(Point::P50),
            "p90" => Some(Point::P90),
            "p99" => Some(Point::P99),
            "p999" => Some(Point::P999),
            "max" => Some(Point::Max),
            _ => None,
        };
        Ok(match (point, name) {
            (Some(point), _) if service => Self::Service(point),
            (Some(point), _) => Self::Latency(point),
            (None, "error_rate" | "errors") => Self::ErrorRate,
            (None, "throughput") => Self::Throughput,
            (None, "failed") => Self::Failed,
            (None, "unsent") => Self::Unsent,
            (None, "late") => Self::Late,
            _ => {
                return Err(format!(
                    "`{name}` is not measured; there are p50, p90, p99, p999, max (also with \
                     service_), error_rate, throughput, failed, unsent, late"
                ));
            }
        })
    }

    fn parse_limit(self, value: &str) -> Result<f64, String> {
        let (scaled, scale, expected) = match self {
            Self::Latency(_) | Self::Service(_) => {
                let expected = "a time with a unit: `500us`, `10ms`, `1.5s`";
                let scaled = [("us", 0.001), ("ms", 1.0), ("s", 1_000.0)]
                    .into_iter()
                    .find_map(|(unit, scale)| Some((value.strip_suffix(unit)?, scale)));
                let (scaled, scale) = scaled.ok_or_else(|| format!("expected {expected}"))?;
                (scaled, scale, expected)
            }
            Self::ErrorRate => match value.strip_suffix('%') {
                Some(percent) => (percent, 0.01, "a share: `0.1%` or `0.001`"),
                None => (value, 1.0, "a share: `0.1%` or `0.001`"),
            },
            Self::Throughput => (value, 1.0, "requests per second: `900`"),
            Self::Failed | Self::Unsent | Self::Late => (value, 1.0, "a number of requests"),
        };
        match scaled.trim().parse::<f64>() {
            Ok(number) if number.is_finite() && number >= 0.0 => Ok(number * scale),
            _ => Err(format!("expected {expected}")),
        }
    }

    fn of(self, report: &LoadReport) -> Option<f64> {
        let at = |summary: &Summary, point| {
            (summary.count > 0).then_some(match point {
                Point::P50 => summary.p50,
                Point::P90 => summary.p90,
                Point::P99 => summary.p99,
                Point::P999 => summary.p999,
                Point::Max => summary.max,
            })
        };
        match self {
            Self::Latency(point) => at(&report.latency_ms, point),
            Self::Service(point) => at(&report.service_ms, point),
            Self::ErrorRate => {
                (report.scheduled > 0).then(|| report.failed as f64 / report.scheduled as f64)
            }
            Self::Throughput => Some(report.throughput_rps),
            Self::Failed => Some(report.failed as f64),
            Self::Unsent => Some(report.unsent as f64),
            Self::Late => Some(report.late as f64),
        }
    }
}

#[cfg(test)]
mod tests;
