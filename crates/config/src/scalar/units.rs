//! Durations, sizes and shares.

use std::time::Duration;

use super::Fault;
use crate::diagnostic::quote;
use crate::value::Value;

/// Milliseconds of each unit, longest first: a duration names them in this order.
const DURATION_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

const SIZE_UNITS: [(&str, u64); 8] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// Reads `250ms`, `5s`, `1m30s`.
pub(super) fn read_duration(text: &str, min_ms: u64, max_ms: u64) -> Result<Value, Fault> {
    let fault = || Fault::new(format!("{} is not a duration", quote(text)));
    if text == "0" && min_ms == 0 {
        return Ok(Value::Duration(Duration::ZERO));
    }
    if !text.is_empty() && text.len() < 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::new(format!("`{text}` has no unit")).suggest(format!("{text}s")));
    }
    let mut total_ms = 0_u64;
    let mut units = DURATION_UNITS.iter();
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = leading_number(rest).ok_or_else(fault)?;
        let length = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(length);
        let (_, unit_ms) = units.find(|(name, _)| *name == unit).ok_or_else(fault)?;
        total_ms = number
            .checked_mul(*unit_ms)
            .and_then(|part_ms| total_ms.checked_add(part_ms))
            .ok_or_else(fault)?;
        rest = after;
    }
    if text.is_empty() {
        return Err(fault());
    }
    match total_ms {
        _ if total_ms < min_ms => Err(Fault::new(format!("`{text}` is too short"))),
        _ if total_ms > max_ms => Err(Fault::new(format!("`{text}` is too long"))),
        _ => Ok(Value::Duration(Duration::from_millis(total_ms))),
    }
}

/// Reads `64KiB`, `1MB`, `4096`.
pub(super) fn read_size(text: &str, min: u64, max: u64) -> Result<Value, Fault> {
    let fault = || Fault::new(format!("{} is not a size", quote(text)));
    let (number, unit) = leading_number(text).ok_or_else(fault)?;
    let unit = unit.trim_start();
    let factor = match SIZE_UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, factor)) => *factor,
        None if unit.is_empty() => 1,
        None => {
            let first = unit.chars().next().map(|first| first.to_ascii_uppercase());
            let near = SIZE_UNITS.iter().find(|(name, _)| name.chars().next() == first);
            return Err(match near {
                Some((name, _)) => fault().suggest(format!("{number}{name}")),
                None => fault(),
            });
        }
    };
    let bytes = number.checked_mul(factor).ok_or_else(fault)?;
    match bytes {
        _ if bytes < min => Err(Fault::new(format!("`{text}` is too small"))),
        _ if bytes > max => Err(Fault::new(format!("`{text}` is too large"))),
        _ => Ok(Value::Integer(bytes)),
    }
}

/// Reads `20%`.
pub(super) fn read_percent(text: &str, min: u64, max: u64) -> Result<Value, Fault> {
    let fault = || Fault::new(format!("{} is not a share", quote(text)));
    let (number, unit) = leading_number(text).ok_or_else(fault)?;
    match unit {
        "%" if number < min => Err(Fault::new(format!("`{text}` is too small"))),
        "%" if number > max => Err(Fault::new(format!("`{text}` is too large"))),
        "%" => Ok(Value::Integer(number)),
        "" => Err(Fault::new(format!("`{text}` has no unit")).suggest(format!("{number}%"))),
        _ => Err(fault()),
    }
}

/// The digits in front and what follows them; `None` without digits or with too many.
fn leading_number(text: &str) -> Option<(u64, &str)> {
    let length = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(length);
    Some((digits.parse().ok()?, rest))
}

/// A duration as it is written in a file.
pub(crate) fn duration_text(mut ms: u64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, unit_ms) in &DURATION_UNITS[1..] {
        if ms >= *unit_ms {
            text.push_str(&format!("{}{unit}", ms / unit_ms));
            ms %= unit_ms;
        }
    }
    text
}

/// A size as it is written in a file.
pub(crate) fn size_text(bytes: u64) -> String {
    let binary = SIZE_UNITS.iter().take(4);
    match binary.into_iter().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor)) {
        Some((unit, factor)) => format!("{}{unit}", bytes / factor),
        None => bytes.to_string(),
    }
}
