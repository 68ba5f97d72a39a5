//! Access logs: Bulkhead's own lines of JSON, and the Common and Combined Log Format of Apache and nginx.
//!
//! A log has neither headers nor bodies, so what is replayed is who asked for which path, and when.
//! Lines that cannot be used are left out and counted. Times of Bulkhead's log are those of the end of an
//! exchange; its duration is taken off.

mod combined;
mod json;

use std::time::Duration;

use bulkhead_message::{is_host, is_path, is_token};

use crate::recording::{
    Methods, REQUESTS_MAX, RecordedRequest, Recording, RecordingError, RecordingOptions, Skipped,
};

/// Largest log.
const LOG_BYTES_MAX: usize = 1 << 30;
/// Longest line that is read.
const LINE_BYTES_MAX: usize = 64 << 10;

/// A line, taken apart.
#[derive(Debug, Default, PartialEq)]
struct Line {
    /// When the request began, since 1970.
    at: Duration,
    /// `at` is a whole second; the rest is not known.
    coarse: bool,
    method: String,
    /// Empty: not in the log.
    authority: String,
    /// With query.
    path: String,
    /// There was a query and the log does not have it.
    query_left_out: bool,
    fields: Vec<(String, String)>,
    status: Option<u16>,
}

/// Reads an access log, of either form or both. `file` is its name in messages.
///
/// Limits: 1 GiB, 1,000,000 requests, 64 KiB for a line.
///
/// # Errors
/// Without [`RecordingOptions::target`], if it is too large, or if no line can be used.
pub fn access_log(
    text: &[u8],
    file: &str,
    options: &RecordingOptions,
) -> Result<Recording, RecordingError> {
    let Some(target) = &options.target else {
        return Err(RecordingError::NoTarget { file: file.to_owned() });
    };
    if text.len() > LOG_BYTES_MAX {
        return Err(RecordingError::Large { file: file.to_owned(), mib_max: LOG_BYTES_MAX >> 20 });
    }
    let (mut lines, mut skipped) = (Vec::new(), Skipped::default());
    let mut queries_left_out = 0;
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        match read(line).and_then(|line| usable(line, options.methods)) {
            Ok(line) => {
                if lines.len() == REQUESTS_MAX {
                    return Err(RecordingError::Many { file: file.to_owned() });
                }
                queries_left_out += u64::from(line.query_left_out);
                lines.push(line);
            }
            Err(reason) => skipped.add(&format!("line {}", index + 1), reason),
        }
    }
    spread(&mut lines);
    let request = |line: Line| RecordedRequest {
        at: line.at,
        target: 0,
        class: 0,
        method: line.method,
        scheme: target.endpoint.scheme(),
        authority: if line.authority.is_empty() {
            target.endpoint.authority.clone()
        } else {
            line.authority
        },
        path: format!("{}{}", target.base, line.path),
        fields: line.fields,
        body: Vec::new(),
        status: line.status,
    };
    let requests = lines.into_iter().map(request).collect();
    let mut recording = Recording::new(file, vec![target.clone()], requests, skipped)?;
    recording.queries_left_out = queries_left_out;
    Ok(recording)
}

fn read(line: &[u8]) -> Result<Line, &'static str> {
    if line.len() > LINE_BYTES_MAX {
        return Err("longer than 64 KiB");
    }
    match line.first() {
        Some(b'{') => json::read(line),
        _ => combined::read(&String::from_utf8_lossy(line)),
    }
}

/// Whether a line is a request that can be sent, and may be.
fn usable(line: Line, methods: Methods) -> Result<Line, &'static str> {
    if !is_token(line.method.as_bytes()) || line.method == "CONNECT" {
        return Err("its method cannot be sent");
    }
    let safe = matches!(line.method.as_str(), "GET" | "HEAD" | "OPTIONS");
    if methods == Methods::Safe && !safe {
        return Err("its method may change something, and only safe ones were asked for");
    }
    if !is_path(line.path.as_bytes()) || !line.path.is_ascii() {
        return Err("its path cannot be sent");
    }
    if !line.authority.is_empty() && !is_host(line.authority.as_bytes()) {
        return Err("its authority cannot be sent");
    }
    Ok(line)
}

/// Requests of the same second, of which no more is known, are spread evenly over it: sent all at once
/// they would be a load that never was.
fn spread(lines: &mut [Line]) {
    let mut start = 0;
    while start < lines.len() {
        let (at, coarse) = (lines[start].at, lines[start].coarse);
        let length = lines[start..].iter().take_while(|l| l.at == at && l.coarse == coarse).count();
        if coarse {
            for (place, line) in lines[start..start + length].iter_mut().enumerate() {
                line.at += Duration::from_nanos(1_000_000_000 * place as u64 / length as u64);
            }
        }
        start += length;
    }
}

#[cfg(test)]
mod tests;
