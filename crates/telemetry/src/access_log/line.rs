//! One exchange → one line of JSON. Whatever bytes a client sent, the line is one valid object and
//! holds no control character.

use std::io::Write;
use std::time::Duration;

use bulkhead_message::{ExchangeRecord, Outcome};

use crate::time::Rfc3339;

/// Bytes of any one text that are logged; the rest is cut off.
pub const ACCESS_LOG_TEXT_BYTES_MAX: usize = 4_096;

/// Appends the line of `record`, with its line feed.
pub(super) fn write(
    out: &mut Vec<u8>,
    record: &ExchangeRecord<'_>,
    unix_time: Duration,
    with_query: bool,
) {
    format(out, format_args!("{{\"time\":\"{}\"", Rfc3339(unix_time)));
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

#[cfg(test)]
mod tests;
