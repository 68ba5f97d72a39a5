//! An axis: how values become places between its ends, and where its ticks stand.

/// From one value to another, with ticks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    from: f64,
    to: f64,
    logarithmic: bool,
    /// Value and text of each tick, ascending.
    pub(super) ticks: Vec<(f64, String)>,
    /// Written at its end.
    pub(crate) unit: String,
}

/// Smallest value that a logarithmic axis tells apart from nothing.
const POSITIVE_MIN: f64 = 1e-9;

impl Axis {
    /// From 0 to at least `maximum`, with ticks at multiples of 1, 2 or 5 times a power of ten.
    pub(crate) fn linear(maximum: f64, unit: &str, label: impl Fn(f64) -> String) -> Self {
        let maximum = if maximum > 0.0 { maximum } else { 1.0 };
        let step = nice_step(maximum / 4.0);
        let top = step * (maximum / step - 1e-9).ceil();
        Self { ticks: multiples(step, top, label), ..Self::plain(0.0, top, unit) }
    }

    /// Seconds from 0 to exactly `seconds`.
    pub(crate) fn time(seconds: f64) -> Self {
        let seconds = if seconds > 0.0 { seconds } else { 1.0 };
        let step = nice_step(seconds / 10.0).max(1.0);
        let ticks = multiples(step, seconds, |at| format!("{at} s"));
        Self { ticks, ..Self::plain(0.0, seconds, "") }
    }

    /// From the power of ten below `minimum` to that above `maximum`.
    pub(crate) fn logarithmic(minimum: f64, maximum: f64, unit: &str) -> Self {
        let low = minimum.clamp(0.001, 1e12).log10().floor() as i32;
        let high = (maximum.clamp(0.002, 1e12).log10().ceil() as i32).max(low + 1);
        // A short axis has room for more than the powers.
        let factors: &[f64] = if high - low <= 2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let values = (low..=high).flat_map(|power| {
            factors.iter().map(move |factor| (power, factor * 10f64.powi(power)))
        });
        let within = values.filter(|(_, value)| *value <= 10f64.powi(high) * 1.0001);
        let ticks = within.map(|(power, value)| {
            let digits = usize::try_from(-power).unwrap_or(0);
            (value, format!("{value:.digits$}"))
        });
        Self {
            ticks: ticks.collect(),
            logarithmic: true,
            ..Self::plain(10f64.powi(low), 10f64.powi(high), unit)
        }
    }

    /// Shares of all values by how few lie above: 0, 90 %, 99 %, … at equal distances. Values on it
    /// are `1 / (1 - share)`.
    pub(crate) fn quantiles(count: u64) -> Self {
        let nines = (count.max(10) as f64).log10().ceil().clamp(1.0, 7.0) as usize;
        let ticks = (0..=nines).map(|nines| {
            let text = match nines {
                0 => "0 %".to_owned(),
                1 => "90 %".to_owned(),
                2 => "99 %".to_owned(),
                more => format!("99.{} %", "9".repeat(more - 2)),
            };
            (10f64.powi(nines as i32), text)
        });
        let ticks = ticks.collect();
        Self { ticks, logarithmic: true, ..Self::plain(1.0, 10f64.powi(nines as i32), "") }
    }

    fn plain(from: f64, to: f64, unit: &str) -> Self {
        Self { from, to, logarithmic: false, ticks: Vec::new(), unit: unit.to_owned() }
    }

    /// Where a value stands: 0 at the beginning, 1 at the end; what lies outside stays at the ends.
    pub(super) fn share(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            let (from, to) = (self.from.log10(), self.to.log10());
            (value.max(POSITIVE_MIN).log10() - from) / (to - from)
        } else {
            (value - self.from) / (self.to - self.from)
        };
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }
}

fn multiples(step: f64, top: f64, label: impl Fn(f64) -> String) -> Vec<(f64, String)> {
    let values = (0..1_000).map(|place| f64::from(place) * step);
    values.take_while(|v| *v <= top * 1.0001).map(|v| (v, label(v))).collect()
}

/// 1, 2 or 5 times a power of ten, at least `rough`.
fn nice_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|f| f * power >= rough * 0.9999);
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_one_two_or_five() {
        for (rough, step) in [(0.7, 1.0), (1.0, 1.0), (1.2, 2.0), (2_200.0, 5_000.0), (51.0, 100.0)]
        {
            assert!((nice_step(rough) - step).abs() < 1e-9, "{rough}: {}", nice_step(rough));
        }
    }

    #[test]
    fn axes_cover_their_values_from_end_to_end() {
        let values = |axis: &Axis| axis.ticks.iter().map(|(value, _)| *value).collect::<Vec<_>>();
        let linear = Axis::linear(18_400.0, "", |v| v.to_string());
        assert_eq!(values(&linear), [0.0, 5_000.0, 10_000.0, 15_000.0, 20_000.0]);
        assert!(linear.share(0.0).abs() < 1e-9 && (linear.share(20_000.0) - 1.0).abs() < 1e-9);
        let logarithmic = Axis::logarithmic(0.3, 42.0, "ms");
        assert_eq!(values(&logarithmic), [0.1, 1.0, 10.0, 100.0]);
        let texts: Vec<String> =
            Axis::logarithmic(0.02, 0.7, "ms").ticks.into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]);
        assert!(logarithmic.share(0.1).abs() < 1e-6);
        assert!((logarithmic.share(100.0) - 1.0).abs() < 1e-6);
        assert!(logarithmic.share(0.0) >= 0.0, "a second without answers stays on the chart");
        let texts: Vec<String> =
            Axis::quantiles(9_000).ticks.into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["0 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
        assert!(Axis::time(0.0).share(f64::NAN).abs() < 1e-9);
    }
}
