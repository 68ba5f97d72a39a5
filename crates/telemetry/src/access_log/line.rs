//! One exchange → one line of JSON. Whatever bytes a client sent, the line is one valid object and
//! holds no control character.

use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use bulkhead_message::{ExchangeRecord, Outcome, RelayRecord, TlsRecord};

use crate::histogram::micros;
use crate::time::Rfc3339;

/// Bytes of any one text that are logged; the rest is cut off.
pub const ACCESS_LOG_TEXT_BYTES_MAX: usize = 4_096;

/// Seconds whose text is kept: most lines are of the same second as the one before.
#[derive(Debug)]
pub(super) struct SecondText {
    second: u64,
    text: String,
}

impl Default for SecondText {
    fn default() -> Self {
        Self { second: u64::MAX, text: String::new() }
    }
}

impl SecondText {
    fn write(&mut self, out: &mut Vec<u8>, unix_time: Duration) {
        if self.second != unix_time.as_secs() {
            self.second = unix_time.as_secs();
            self.text = Rfc3339(Duration::from_secs(self.second)).to_string();
            // Up to the dot: `.000Z` follows.
            self.text.truncate(self.text.len().saturating_sub(4));
        }
        out.extend_from_slice(self.text.as_bytes());
        three_digits(out, unix_time.subsec_millis());
        out.push(b'Z');
    }
}

/// Appends the line of `record`, with its line feed.
pub(super) fn write(
    out: &mut Vec<u8>,
    record: &ExchangeRecord<'_>,
    unix_time: Duration,
    second: &mut SecondText,
    with_query: bool,
) {
    out.extend_from_slice(b"{\"time\":\"");
    second.write(out, unix_time);
    out.push(b'"');
    if let Some(client) = record.client {
        address(out, client);
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
    number(out, "status", record.status.into());
    if let Some(status) = record.grpc_status {
        number(out, "grpc_status", status.into());
    }
    if let Some(tunnel) = record.tunnel {
        text(out, "tunnel", tunnel.protocol.as_bytes());
    }
    outcome(out, record.outcome);
    number(out, "attempts", record.attempts.into());
    number(out, "request_bytes", record.request_bytes);
    number(out, "response_bytes", record.response_bytes);
    duration(out, record.duration);
    number(out, "revision", record.revision);
    if let Some(id) = record.request_id {
        text(out, "request_id", id);
    }
    if let Some(fault) = record.fault {
        text(out, "fault", fault.as_bytes());
    }
    if let Some(group) = record.fault_group {
        text(out, "fault_group", group.as_bytes());
    }
    if let Some(tls) = &record.tls {
        tls_facts(out, tls);
    }
    out.extend_from_slice(b"}\n");
}

/// Appends the line of a relay, with its line feed.
pub(super) fn write_relay(
    out: &mut Vec<u8>,
    record: &RelayRecord<'_>,
    unix_time: Duration,
    second: &mut SecondText,
) {
    out.extend_from_slice(b"{\"time\":\"");
    second.write(out, unix_time);
    out.push(b'"');
    if let Some(client) = record.client {
        address(out, client);
    }
    text(out, "protocol", record.protocol.as_bytes());
    text(out, "listener", record.listener.as_bytes());
    if let Some(name) = record.server_name {
        text(out, "server_name", name.as_bytes());
    }
    text(out, "route", record.route.as_bytes());
    text(out, "cluster", record.cluster.as_bytes());
    text(out, "endpoint", record.endpoint.as_bytes());
    outcome(out, record.outcome);
    number(out, "attempts", record.attempts.into());
    number(out, "received_bytes", record.received_bytes);
    number(out, "sent_bytes", record.sent_bytes);
    duration(out, record.duration);
    number(out, "revision", record.revision);
    out.extend_from_slice(b"}\n");
}

fn tls_facts(out: &mut Vec<u8>, tls: &TlsRecord<'_>) {
    for (name, value) in [
        ("tls_version", tls.version),
        ("tls_cipher", tls.cipher),
        ("tls_server_name", tls.server_name),
        ("tls_client_subject", tls.client_subject),
        ("tls_client_spiffe_id", tls.client_spiffe_id),
        ("tls_client_fingerprint", tls.client_fingerprint),
    ] {
        if !value.is_empty() {
            text(out, name, value.as_bytes());
        }
    }
}

fn outcome(out: &mut Vec<u8>, outcome: Outcome) {
    match outcome {
        Outcome::Complete => text(out, "outcome", b"complete"),
        Outcome::Failed { kind, .. } => {
            text(out, "outcome", b"failed");
            text(out, "failure", kind.as_str().as_bytes());
        }
    }
}

fn duration(out: &mut Vec<u8>, duration: Duration) {
    let micros = micros(duration);
    number(out, "duration_ms", micros / 1_000);
    out.push(b'.');
    three_digits(out, (micros % 1_000) as u32);
}

fn address(out: &mut Vec<u8>, address: IpAddr) {
    out.extend_from_slice(b",\"client\":\"");
    match address {
        IpAddr::V4(address) => {
            for (index, octet) in address.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                decimal(out, octet.into());
            }
        }
        IpAddr::V6(address) => {
            // Writing to a vector cannot fail.
            let _ = write!(out, "{address}");
        }
    }
    out.push(b'"');
}

fn number(out: &mut Vec<u8>, name: &str, value: u64) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    decimal(out, value);
}

/// The formatting machinery would take ten times as long for these few digits.
fn decimal(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn three_digits(out: &mut Vec<u8>, value: u32) {
    out.extend([value / 100 % 10, value / 10 % 10, value % 10].map(|digit| b'0' + digit as u8));
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
    // Nearly every text is plain: one pass to see it, without a way out so that it is done many
    // bytes at a time, and one copy.
    let special = |byte: u8| !(0x20..=0x7e).contains(&byte) | (byte == b'"') | (byte == b'\\');
    if !value.iter().fold(false, |found, byte| found | special(*byte)) {
        out.extend_from_slice(value);
        return;
    }
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                    // Writing to a vector cannot fail.
                    let _ = write!(out, "\\u{:04x}", u32::from(character));
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
