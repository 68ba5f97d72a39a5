//! Numbers compared exactly, as Python's `Decimal` does it: the text `0.1` is less than the binary
//! fraction that is written 0.1.

use std::cmp::Ordering;

use serde_json::Value;

/// A number to the last digit: whole digits without leading zeros, and digits of the fraction.
#[derive(Debug, PartialEq)]
struct Exact {
    negative: bool,
    whole: String,
    fraction: String,
}

/// Digits that an exponent may add. What is larger is no measurement.
const EXPONENT_MAX: i64 = 1_000;

/// `None` if one of them is no number.
pub(super) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    Some(Exact::of(left)?.compare(&Exact::of(right)?))
}

impl Exact {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(truth) => Self::parse(if *truth { "1" } else { "0" }),
            // Enough digits for every binary fraction: this is exact.
            Value::Number(number) if number.is_f64() => {
                Self::parse(&format!("{:.1074}", number.as_f64()?))
            }
            Value::Number(number) => Self::parse(&number.to_string()),
            Value::String(text) => Self::parse(&text.trim().replace('_', "")),
            _ => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (digits, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(whole) || !plain(fraction) || whole.len() + fraction.len() == 0 {
            return None;
        }
        if exponent.abs() > EXPONENT_MAX {
            return None;
        }
        let shifted = shift(whole, fraction, exponent)?;
        let (whole, fraction) = shifted;
        let whole = whole.trim_start_matches('0').to_owned();
        let fraction = fraction.trim_end_matches('0').to_owned();
        let zero = whole.is_empty() && fraction.is_empty();
        Some(Self { negative: negative && !zero, whole, fraction })
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => return Ordering::Greater,
            (true, false) => return Ordering::Less,
            _ => {}
        }
        let magnitude = (self.whole.len().cmp(&other.whole.len()))
            .then_with(|| self.whole.cmp(&other.whole))
            // Digits of a fraction, without zeros at the end, are in the order of letters.
            .then_with(|| self.fraction.cmp(&other.fraction));
        if self.negative { magnitude.reverse() } else { magnitude }
    }
}

/// Moves the point.
fn shift(whole: &str, fraction: &str, exponent: i64) -> Option<(String, String)> {
    let digits = format!("{whole}{fraction}");
    let point = i64::try_from(whole.len()).ok()? + exponent;
    let length = i64::try_from(digits.len()).ok()?;
    if point <= 0 {
        let zeros = usize::try_from(-point).ok()?;
        return Some((String::new(), format!("{}{digits}", "0".repeat(zeros))));
    }
    if point >= length {
        let zeros = usize::try_from(point - length).ok()?;
        return Some((format!("{digits}{}", "0".repeat(zeros)), String::new()));
    }
    let (whole, fraction) = digits.split_at(usize::try_from(point).ok()?);
    Some((whole.to_owned(), fraction.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use serde_json::{Value, json};

    use super::compare;

    #[track_caller]
    fn check(left: &Value, right: &Value, expected: Option<Ordering>) {
        assert_eq!(compare(left, right), expected, "{left} {right}");
    }

    #[test]
    fn numbers_are_compared_to_the_last_digit() {
        check(&json!("0.1"), &json!(0.1), Some(Ordering::Less));
        check(&json!("0.5"), &json!(0.5), Some(Ordering::Equal));
        check(&json!(0.1), &json!(0.1), Some(Ordering::Equal));
        check(&json!(9), &json!(10), Some(Ordering::Less));
        check(&json!(-9), &json!(-10), Some(Ordering::Greater));
        check(&json!("1e2"), &json!(100), Some(Ordering::Equal));
        check(&json!("1.5E-1"), &json!("0.15"), Some(Ordering::Equal));
        check(&json!(" 1_000 \n"), &json!(999.9), Some(Ordering::Greater));
        check(&json!("-0"), &json!(0), Some(Ordering::Equal));
        check(&json!(true), &json!(1), Some(Ordering::Equal));
        check(&json!(1e300), &json!(1e299), Some(Ordering::Greater));
    }

    #[test]
    fn what_is_no_number_has_no_order() {
        for value in
            [json!("jane"), json!(""), json!("."), json!(null), json!([1]), json!("1e9999")]
        {
            check(&value, &json!(1), None);
        }
    }
}
