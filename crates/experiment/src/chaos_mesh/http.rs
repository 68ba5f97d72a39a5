//! HTTPChaos: faults of requests and responses.

use serde_json::{Value, json};

use super::Import;
use super::field::Fields;
use crate::document::{Located, Member};
use crate::python;

/// What selects requests there, and is a route here.
const SELECTORS: [&str; 5] = ["port", "path", "method", "code", "response_headers"];

pub(super) fn faults(mut spec: Fields<'_>, import: &mut Import) -> Vec<Value> {
    let target = spec.text("target").unwrap_or_default();
    let direction = if target == "Response" { "response" } else { "request" };
    let mut faults = Vec::new();
    let headers = request_headers(&mut spec);
    let mut push = |mut fault: Value| {
        if !headers.is_empty() {
            fault["headers"] = json!(headers);
        }
        faults.push(json!({ "http": fault }));
    };
    if spec.get("abort").is_some_and(Located::truthy) {
        push(json!({ "reset": { "after_bytes": 0 }, "percent": 100.0 }));
    }
    if let Some(delay) = spec.duration("delay") {
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        push(
            json!({ "delay": { "delay_ms": delay_ms, "direction": direction }, "percent": 100.0 }),
        );
    }
    if let Some(mut replace) = spec.map("replace") {
        match replace.number("code") {
            Some(status) if (200..600).contains(&status) => {
                push(json!({ "replace_status": { "status": status }, "percent": 100.0 }));
            }
            _ => {}
        }
        replace.finish(import);
    }
    for name in SELECTORS {
        let line = spec.line_of(name);
        let given = spec.get(name).is_some_and(|item| item.truthy() && item.text() != Some("*"));
        if given {
            let reason =
                "requests are selected by `route`, `cluster`, `endpoint` or `headers` of the fault";
            import.leave_out(line, spec.path_of(name), reason);
        }
    }
    spec.finish(import);
    faults
}

/// Headers that a request must have, with these values.
fn request_headers(spec: &mut Fields<'_>) -> Vec<Value> {
    let given = spec.get("request_headers").map_or(&[][..], Located::members);
    let header = |member: &Member| json!({ "name": member.name, "value": python::text(&member.value.to_value()) });
    given.iter().map(header).collect()
}
