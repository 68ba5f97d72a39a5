//! Lengths of time: `250ms`, `5s`, `1m30s`, `2h`, or a number of seconds.

use std::time::Duration;

use bulkhead_config::document::{Report, quote};

use crate::document::Located;

/// The one that stands there, if it is one.
pub(crate) fn of(item: &Located) -> Option<Duration> {
    let value = item.to_value();
    match value.as_f64() {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => value.as_str().and_then(parse),
    }
}

/// Reads one of at most `most`.
pub(crate) fn read(item: &Located, most: Duration, report: &mut Report<'_>) -> Duration {
    match of(item) {
        Some(duration) if duration <= most => duration,
        Some(_) => {
            report.error(item.span, format!("at most {} s are possible", most.as_secs()));
            Duration::ZERO
        }
        None => {
            let shown = quote(&crate::python::text(&item.to_value()));
            report
                .error(item.span, format!("{shown} is no length of time"))
                .remedy("write it as `250ms`, `5s`, `1m30s`, or as a number of seconds");
            Duration::ZERO
        }
    }
}

/// Numbers with units, longest unit first.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let (mut sum, mut rest, mut longest) = (Duration::ZERO, text.trim(), u64::MAX);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let micros = match &rest[..end] {
            "us" | "µs" => 1_u64,
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            "d" => 86_400_000_000,
            _ => return None,
        };
        if micros >= longest {
            return None;
        }
        longest = micros;
        let seconds = number * micros as f64 / 1e6;
        sum = sum.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
        rest = &rest[end..];
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn times_have_units_longest_first() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("5s", 5_000),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            ("2h45m", 9_900_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "5", "s", "5x", "5s1m", "5s5s", "-5s", "1e400s", "5 s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
