//! Times in recordings and logs: RFC 3339, and the form of Apache's and nginx's logs. UTC since 1970.

use std::time::Duration;

/// `2026-11-29T14:47:23.123Z`, `2026-11-29 14:47:23+01:00`.
pub(crate) fn rfc3339(text: &str) -> Option<Duration> {
    let bytes = text.as_bytes();
    let shape = bytes.len() >= 20
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && matches!(bytes[10], b'T' | b't' | b' ')
        && bytes[13] == b':'
        && bytes[16] == b':';
    if !shape {
        return None;
    }
    let (year, month, day) = (number(text, 0, 4)?, number(text, 5, 2)?, number(text, 8, 2)?);
    let clock = (number(text, 11, 2)?, number(text, 14, 2)?, number(text, 17, 2)?);
    let mut rest = text.get(19..)?;
    let mut nanoseconds = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let (fraction, after) = fraction.split_at(digits);
        if digits == 0 {
            return None;
        }
        nanoseconds = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
        rest = after;
    }
    let offset = match rest {
        "Z" | "z" => 0,
        _ => offset(rest.replace(':', "").as_str())?,
    };
    point((year, month, day), clock, offset, nanoseconds)
}

/// `10/Oct/2000:13:55:36 -0700`.
pub(crate) fn log_time(text: &str) -> Option<Duration> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (date, zone) = text.split_once(' ')?;
    let mut parts = date.split([':', '/']);
    let day = digits(parts.next()?)?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))? as i64 + 1;
    let year = digits(parts.next()?)?;
    let clock = (digits(parts.next()?)?, digits(parts.next()?)?, digits(parts.next()?)?);
    if parts.next().is_some() {
        return None;
    }
    point((year, month, day), clock, offset(zone.trim())?, 0)
}

/// Seconds east of UTC of `+0130`.
fn offset(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = (number(text, 1, 2)?, number(text, 3, 2)?);
    (text.len() == 5 && hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

fn point(
    (year, month, day): (i64, i64, i64),
    (hour, minute, second): (i64, i64, i64),
    offset: i64,
    nanoseconds: u32,
) -> Option<Duration> {
    let fits = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        // A leap second is the first of the next minute.
        && second <= 60;
    if !fits {
        return None;
    }
    let days = days_since_1970(year, month, day);
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset;
    Some(Duration::new(u64::try_from(seconds).ok()?, nanoseconds))
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Years are taken to begin in March, so that the leap day is the last of the year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

fn number(text: &str, start: usize, length: usize) -> Option<i64> {
    digits(text.get(start..start + length)?)
}

fn digits(text: &str) -> Option<i64> {
    let fits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
