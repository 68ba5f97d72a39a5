//! One exchange → one line of JSON. Whatever bytes a client sent, the line is one valid object and
//! holds no control character.

use std::io::Write;
use std::time::Duration;

use bulkhead_message::{ExchangeRecord, Outcome};

/// Bytes of any one text that are logged; the rest is cut off.
pub const ACCESS_LOG_TEXT_BYTES_MAX: usize = 4_096;

/// Appends the line of `record`, with its line feed.
pub(super) fn write(
    out: &mut Vec<u8>,
    record: &ExchangeRecord<'_>,
    unix_time: Duration,
    with_query: bool,
) {
    out.extend_from_slice(b"{\"time\":\"");
    write_time(out, unix_time);
    out.push(b'"');
    if let Some(client) = record.client {
        format(out, format_args!(",\"client\":\"{client}\""));
    }
    text(out, "method", record.method);
    text(out, "authority", record.authority);
    let query_at = record.target.iter().position(|byte| *byte == b'?');
    text(out, "path", &record.target[..query_at.unwrap_or(record.target.len())]);
    if let Some(at) = query_at {
        text(out, "query", if with_query { &record.target[at + 1..] } else { b"redacted" });
    }
    text(out, "protocol", record.version.as_str().as_bytes());
    text(out, "route", record.route.as_bytes());
    text(out, "cluster", record.cluster.as_bytes());
    text(out, "endpoint", record.endpoint.as_bytes());
    format(out, format_args!(",\"status\":{}", record.status));
    if let Some(status) = record.grpc_status {
        format(out, format_args!(",\"grpc_status\":{status}"));
    }
    match record.outcome {
        Outcome::Complete => text(out, "outcome", b"complete"),
        Outcome::Failed(kind) => {
            text(out, "outcome", b"failed");
            text(out, "failure", kind.as_str().as_bytes());
        }
    }
    let micros = record.duration.as_micros();
    format(
        out,
        format_args!(
            ",\"attempts\":{},\"request_bytes\":{},\"response_bytes\":{},\
             \"duration_ms\":{}.{:03},\"revision\":{}",
            record.attempts,
            record.request_bytes,
            record.response_bytes,
            micros / 1_000,
            micros % 1_000,
            record.revision
        ),
    );
    if let Some(id) = record.request_id {
        text(out, "request_id", id);
    }
    out.extend_from_slice(b"}\n");
}

fn format(out: &mut Vec<u8>, content: std::fmt::Arguments<'_>) {
    // Writing to a vector cannot fail.
    let _ = out.write_fmt(content);
}

fn text(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":\"");
    escape(out, &value[..value.len().min(ACCESS_LOG_TEXT_BYTES_MAX)]);
    out.push(b'"');
}

/// JSON escapes (RFC 8259 §7). Bytes that are not UTF-8 become U+FFFD; C1 controls and the line
/// separators are escaped as well, because terminals and log readers act on them.
fn escape(out: &mut Vec<u8>, value: &[u8]) {
    // Nearly every text is plain: one pass to see it, one copy.
    if value.iter().all(|byte| matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\')) {
        out.extend_from_slice(value);
        return;
    }
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                    format(out, format_args!("\\u{:04x}", u32::from(character)));
                }
                other => {
                    out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// RFC 3339 in UTC with milliseconds.
fn write_time(out: &mut Vec<u8>, unix_time: Duration) {
    let seconds = unix_time.as_secs();
    let (year, month, day) = date_of(seconds / 86_400);
    let second_of_day = seconds % 86_400;
    format(
        out,
        format_args!(
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            second_of_day / 3_600,
            second_of_day / 60 % 60,
            second_of_day % 60,
            unix_time.subsec_millis()
        ),
    );
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
///
/// Years are taken to begin in March, so that the leap day is the last of the year; a cycle of 400
/// years has 146,097 days.
fn date_of(days: u64) -> (u64, u64, u64) {
    // 1970-01-01 is day 719,468 counted from 0000-03-01.
    let days = days + 719_468;
    let cycle = days / 146_097;
    let day_of_cycle = days % 146_097;
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524
        - day_of_cycle / 146_096)
        / 365;
    let day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    // Months from March have 31, 30, 31, 30, 31 days, again and again: 153 in five.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (cycle * 400 + year_of_cycle + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests;
