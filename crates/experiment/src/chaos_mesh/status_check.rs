//! StatusCheck: a probe of the hypothesis, and a condition that ends the method.

use serde_json::{Map, Value, json};

use super::Import;
use super::field::Fields;

/// Takes a check in. With `aborts` its failure ends the method.
pub(super) fn take(name: &str, mut spec: Fields<'_>, aborts: bool, import: &mut Import) {
    let line = spec.line();
    let kind = spec.text("type").unwrap_or_else(|| "HTTP".to_owned());
    let interval = spec.number("intervalSeconds").unwrap_or(1);
    let failures = spec.number("failureThreshold").unwrap_or(3);
    let timeout = spec.number("timeoutSeconds").unwrap_or(1).max(1);
    spec.skip(&["mode"]);
    let http = spec.map("http").filter(|_| kind == "HTTP");
    let Some(mut http) = http else {
        import.leave_out(line, spec.path_of("type"), "only checks over HTTP have an equivalent");
        return;
    };
    let mut provider = json!({ "type": "http", "timeout": timeout });
    provider["url"] = json!(http.text("url").unwrap_or_default());
    if let Some(method) = http.text("method") {
        provider["method"] = json!(method);
    }
    if let Some(headers) = http.get("headers") {
        // Each name has a list of values there; the last counts here.
        let one = |value: &Value| match value {
            Value::Array(values) => values.last().cloned().unwrap_or_default(),
            other => other.clone(),
        };
        let headers = headers.to_value();
        let headers = headers.as_object().into_iter().flatten();
        let headers: Map<String, Value> =
            headers.map(|(name, value)| (name.clone(), one(value))).collect();
        provider["headers"] = Value::Object(headers);
    }
    if let Some(body) = http.text("body") {
        provider["arguments"] = json!(body);
    }
    let mut tolerance = json!([200, 299]);
    if let Some(mut criteria) = http.map("criteria") {
        tolerance = criteria.text("statusCode").map_or(tolerance, |codes| status(&codes));
        criteria.finish(import);
    } else {
        tolerance = json!({ "type": "range", "target": "status", "range": [200, 299] });
    }
    http.finish(import);
    spec.finish(import);
    import.probes.push(
        json!({ "type": "probe", "name": name, "tolerance": tolerance, "provider": provider }),
    );
    if aborts {
        let lasting = format!("{}s", interval.saturating_mul(failures).min(900));
        import.abort.push(json!({ "probe": name, "for": lasting }));
    }
}

/// `200`, or a range such as `200-400`.
fn status(codes: &str) -> Value {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    match codes.split_once('-').map(|(low, high)| (number(low), number(high))) {
        Some((Some(low), Some(high))) => {
            json!({ "type": "range", "target": "status", "range": [low, high] })
        }
        _ => number(codes).map_or_else(|| json!(codes), |code| json!(code)),
    }
}
