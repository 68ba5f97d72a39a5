//! What a value without quotes is, in JSON and in YAML 1.1 as `PyYAML` reads it.

use serde_json::{Number, Value};

/// A bare word of JSON.
pub(super) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// A plain scalar of YAML 1.1.
pub(super) fn yaml(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    integer(text)
        .or_else(|| decimal(text).and_then(Number::from_f64))
        .map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = sign(text);
    let magnitude = if let Some(binary) = digits.strip_prefix("0b") {
        radix(binary, 2)?
    } else if let Some(hexadecimal) = digits.strip_prefix("0x") {
        radix(hexadecimal, 16)?
    } else if digits == "0" {
        0
    } else if let Some(octal) = digits.strip_prefix('0') {
        radix(octal, 8)?
    } else if digits.contains(':') {
        sexagesimal(digits)?
    } else {
        radix(digits, 10)?
    };
    if negative {
        return Some(Number::from(0_i64.checked_sub_unsigned(magnitude)?));
    }
    Some(Number::from(magnitude))
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Digits with underscores between them.
fn radix(text: &str, radix: u32) -> Option<u64> {
    if text.is_empty() || !text.chars().all(|c| c == '_' || c.is_digit(radix)) {
        return None;
    }
    // In decimal, an underscore does not begin a number.
    if radix == 10 && text.starts_with('_') {
        return None;
    }
    u64::from_str_radix(&text.replace('_', ""), radix).ok()
}

/// `1:30` is 90.
fn sexagesimal(text: &str) -> Option<u64> {
    let mut parts = text.split(':');
    let first = parts.next().filter(|first| !first.starts_with('0'))?;
    parts.try_fold(radix(first, 10)?, |sum, part| {
        let digits = matches!(part.len(), 1 | 2) && part.bytes().all(|b| b.is_ascii_digit());
        let value = part.parse::<u64>().ok().filter(|value| digits && *value < 60)?;
        sum.checked_mul(60)?.checked_add(value)
    })
}

/// A number with a point. An exponent needs its sign, and without a point there is none: `1e3` is a text.
fn decimal(text: &str) -> Option<f64> {
    let (negative, rest) = sign(text);
    let (whole, fraction) = rest.split_once('.')?;
    let (fraction, exponent) = match fraction.find(['e', 'E']) {
        Some(at) => (&fraction[..at], Some(&fraction[at + 1..])),
        None => (fraction, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let begins = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    let has_whole = begins(whole) && digits(whole);
    let bare = whole.is_empty() && begins(fraction) && !negative && !text.starts_with('+');
    let signed = |exponent: &str| {
        exponent
            .strip_prefix(['+', '-'])
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    if !(has_whole || bare) || !digits(fraction) || !exponent.is_none_or(signed) {
        return None;
    }
    let number = format!("{whole}.{fraction}0").replace('_', "");
    let number: f64 = format!("0{number}e{}", exponent.unwrap_or("0")).parse().ok()?;
    Some(if negative { -number } else { number })
}
