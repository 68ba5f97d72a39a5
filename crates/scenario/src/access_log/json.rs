//! A line of Bulkhead's own access log: one JSON object.

use std::time::Duration;

use serde::Deserialize;

use super::Line;
use crate::timestamp::rfc3339;

/// Texts are cut off at this length in the log.
const TEXT_BYTES_MAX: usize = 4_096;

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    time: std::borrow::Cow<'a, str>,
    method: String,
    #[serde(default)]
    authority: String,
    path: String,
    query: Option<String>,
    #[serde(default)]
    status: u16,
    outcome: Option<String>,
    #[serde(default)]
    duration_ms: f64,
}

pub(super) fn read(line: &[u8]) -> Result<Line, &'static str> {
    let record: Record<'_> =
        serde_json::from_slice(line).map_err(|_| "it is no line of Bulkhead's access log")?;
    let end = rfc3339(&record.time).ok_or("its time is not of RFC 3339")?;
    let took = Duration::try_from_secs_f64(record.duration_ms / 1_000.0).unwrap_or_default();
    if record.path.len() >= TEXT_BYTES_MAX {
        return Err("its path was cut off");
    }
    let query_left_out = record.query.as_deref() == Some("redacted");
    let path = match record.query {
        Some(query) if !query_left_out => format!("{}?{query}", record.path),
        _ => record.path,
    };
    let answered = record.outcome.as_deref() != Some("failed");
    Ok(Line {
        at: end.saturating_sub(took),
        coarse: false,
        method: record.method,
        authority: record.authority,
        path,
        query_left_out,
        fields: Vec::new(),
        status: (answered && record.status >= 200).then_some(record.status),
    })
}
