//! From a schema to a value that it allows: fixed, or drawn anew for each request.

use serde_json::Value;

use super::document::Document;
use crate::expectation::text_of;
use crate::template::Draw;

/// Longest text that is made up.
const TEXT_LENGTH_MAX: u64 = 1_024;
/// Largest number where a schema has no limit.
const NUMBER_MAX: u64 = 1_000;

/// A single value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sample {
    /// As it is, also an array or an object.
    Fixed(Value),
    /// A number or truth value: bare in JSON.
    Bare(Draw),
    /// A text: in quotes in JSON.
    Text(Draw),
}

/// A value that stands beside or in a schema: `example`, `examples`, `default`, `const` or `enum`.
pub(super) fn given(holder: &Value, document: &Document) -> Option<Sample> {
    if let Some(example) = holder.get("example") {
        return Some(Sample::Fixed(example.clone()));
    }
    match holder.get("examples") {
        // Of parameters and media types: by name, each with a value.
        Some(Value::Object(examples)) => {
            let values =
                examples.values().filter_map(|example| document.resolve(example)?.get("value"));
            if let Some(sample) = one_of(values.cloned().collect()) {
                return Some(sample);
            }
        }
        // Of schemas, since 3.1.
        Some(Value::Array(examples)) => {
            if let Some(sample) = one_of(examples.clone()) {
                return Some(sample);
            }
        }
        _ => {}
    }
    for key in ["default", "const"] {
        if let Some(value) = holder.get(key) {
            return Some(Sample::Fixed(value.clone()));
        }
    }
    holder.get("enum").and_then(Value::as_array).and_then(|values| one_of(values.clone()))
}

/// One of the values, drawn if they are single ones of the same kind.
fn one_of(mut values: Vec<Value>) -> Option<Sample> {
    let texts = || values.iter().map(|value| text_of(value).into_owned()).collect();
    match values.len() {
        0 => None,
        1 => Some(Sample::Fixed(values.remove(0))),
        _ if values.iter().all(Value::is_string) => Some(Sample::Text(Draw::Choice(texts()))),
        _ if values.iter().all(|v| v.is_number() || v.is_boolean()) => {
            Some(Sample::Bare(Draw::Choice(texts())))
        }
        _ => Some(Sample::Fixed(values.remove(0))),
    }
}

/// The type that a schema names first, `null` aside; by its other keys if it names none.
pub(super) fn type_of(schema: &Value) -> &str {
    let named = match &schema["type"] {
        Value::String(name) => Some(name.as_str()),
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ => None,
    };
    named.unwrap_or_else(|| {
        if schema.get("properties").is_some() || schema.get("allOf").is_some() {
            "object"
        } else if schema.get("items").is_some() {
            "array"
        } else {
            "string"
        }
    })
}

/// A value of a schema of a single type.
pub(super) fn single(schema: &Value) -> Sample {
    match type_of(schema) {
        "integer" | "number" => number(schema),
        "boolean" => Sample::Bare(Draw::Choice(vec!["true".to_owned(), "false".to_owned()])),
        "null" => Sample::Fixed(Value::Null),
        _ => text(schema),
    }
}

fn number(schema: &Value) -> Sample {
    let limit = |inclusive: &str, exclusive: &str, step: f64| {
        let bound = schema[inclusive].as_f64();
        match &schema[exclusive] {
            Value::Bool(true) => bound.map(|bound| bound + step),
            Value::Number(number) => number.as_f64().map(|bound| bound + step),
            _ => bound,
        }
    };
    let low = limit("minimum", "exclusiveMinimum", 1.0);
    let high = limit("maximum", "exclusiveMaximum", -1.0);
    if let Some(high) = high
        && high < 0.0
    {
        return Sample::Fixed(Value::from(high.floor() as i64));
    }
    // Without a limit ids begin at 1, as those of most servers.
    let low = match (low, high) {
        (Some(low), _) => low.max(0.0).ceil() as u64,
        (None, Some(high)) if high < 1.0 => 0,
        _ => 1,
    };
    let high = high.map_or_else(|| low.saturating_add(NUMBER_MAX - 1), |high| high.floor() as u64);
    let count = high.saturating_sub(low).saturating_add(1);
    Sample::Bare(Draw::Uniform { low, count })
}

fn text(schema: &Value) -> Sample {
    let fixed = match schema["format"].as_str().unwrap_or("") {
        "uuid" => return Sample::Text(Draw::Uuid),
        "date" => "2026-01-01",
        "date-time" => "2026-01-01T00:00:00Z",
        "time" => "00:00:00Z",
        "email" => "somebody@example.com",
        "hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "uri" | "url" | "uri-reference" => "https://example.com/",
        "byte" => "dGV4dA==",
        _ => "",
    };
    if !fixed.is_empty() {
        return Sample::Fixed(Value::from(fixed));
    }
    let low = schema["minLength"].as_u64().unwrap_or(0).min(TEXT_LENGTH_MAX);
    let high = schema["maxLength"].as_u64().unwrap_or(u64::MAX).max(low);
    let length = 4.clamp(low, high) as usize;
    Sample::Fixed(Value::from("text".chars().cycle().take(length).collect::<String>()))
}
