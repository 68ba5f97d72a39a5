//! Log records of OTLP/HTTP in its JSON form: lowerCamelCase keys, 64-bit integers as texts.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use bulkhead_chaos::{Happening, State};
use bytes::Bytes;
use serde_json::{Value, json};

/// Nanoseconds of a millisecond.
const NS_PER_MS: u128 = 1_000_000;

/// The body: an `ExportLogsServiceRequest`. `dropped`: changes that the receiver never got before these.
pub(super) fn logs(batch: &[Happening], dropped: u64) -> anyhow::Result<Bytes> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let mut records: Vec<Value> = Vec::with_capacity(batch.len() + 1);
    if dropped > 0 {
        records.push(json!({
            "timeUnixNano": now.to_string(),
            "observedTimeUnixNano": now.to_string(),
            "severityNumber": 13,
            "severityText": "WARN",
            "eventName": "chaos.events_dropped",
            "body": { "stringValue": format!("{dropped} events were dropped before this") },
            "attributes": [number("chaos.dropped", dropped)],
        }));
    }
    records.extend(batch.iter().map(|happening| record(happening, now)));
    let service = [
        text("service.name", "bulkhead-chaos"),
        text("service.version", env!("CARGO_PKG_VERSION")),
    ];
    let request = json!({ "resourceLogs": [{
        "resource": { "attributes": service },
        "scopeLogs": [{ "scope": { "name": "bulkhead.chaos" }, "logRecords": records }],
    }] });
    Ok(Bytes::from(serde_json::to_vec(&request).context("serialise events")?))
}

fn record(happening: &Happening, now: u128) -> Value {
    let Happening { id, kind, state, .. } = happening;
    let reason = happening.detail.as_deref();
    let mut attributes = vec![
        text("chaos.id", &id.to_string()),
        text("chaos.kind", kind),
        text("chaos.target", &serde_json::to_string(&happening.target).unwrap_or_default()),
        text("chaos.state", state.name()),
        text("chaos.actor", &happening.actor),
        number("chaos.attempts", happening.attempts.into()),
        number("chaos.sequence", happening.sequence),
    ];
    attributes.extend(happening.from.map(|from| text("chaos.state.previous", from.name())));
    attributes.extend(reason.map(|reason| text("chaos.reason", reason)));
    if let Some(effect) = happening.effect {
        attributes.push(number("chaos.hits", effect.hits));
        attributes.push(number("chaos.seen", effect.seen));
    }
    let body = match reason {
        Some(reason) => format!("{kind} {state}: {reason}"),
        None => format!("{kind} {state}"),
    };
    let (severity_number, severity) = severity(*state);
    json!({
        "timeUnixNano": (u128::from(happening.unix_ms) * NS_PER_MS).to_string(),
        "observedTimeUnixNano": now.to_string(),
        "severityNumber": severity_number,
        "severityText": severity,
        "eventName": "chaos.state",
        "body": { "stringValue": body },
        "attributes": attributes,
    })
}

/// Something may be left behind; something did not go as it was ordered; all else.
const fn severity(state: State) -> (u8, &'static str) {
    match state {
        State::RevertFailed => (17, "ERROR"),
        State::Unknown | State::Refused | State::Failed | State::NotEffective => (13, "WARN"),
        _ => (9, "INFO"),
    }
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn number(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}
