//! Whether what a probe returned is within its tolerance, as Chaos Toolkit decides it.
//!
//! Where its own code would break off the whole run with a Python error (a text compared with a number, a
//! target looked up in a text), the tolerance is not met here, and the reason says so.

mod decimal;
mod regex;

pub(crate) use regex::{check as check_regex, search};

use std::cmp::Ordering;

use serde_json::{Map, Value};

use crate::json_path::JsonPath;
use crate::python;
use crate::substitution::Variables;

/// What is known about a tolerance without calling anything.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Judgement {
    Met,
    /// Why not.
    Missed(String),
    /// This activity decides; the probe's output is among its arguments.
    Ask(Value),
}

impl Judgement {
    fn of(met: bool, otherwise: impl FnOnce() -> String) -> Self {
        if met { Self::Met } else { Self::Missed(otherwise()) }
    }
}

/// Longest value that is shown in a reason, in characters.
const SHOWN_MAX: usize = 200;

/// Whether what a probe returned is within its tolerance, as far as that can be told without asking
/// another probe: `None` if it cannot.
pub fn within_tolerance(tolerance: &Value, output: &Value, variables: &Variables) -> Option<bool> {
    match judge(tolerance, output, variables) {
        Judgement::Met => Some(true),
        Judgement::Missed(_) => Some(false),
        Judgement::Ask(_) => None,
    }
}

/// Judges `output` by `tolerance`, in which only a text was substituted before.
pub(crate) fn judge(tolerance: &Value, output: &Value, variables: &Variables) -> Judgement {
    match tolerance {
        Value::Bool(_) | Value::String(_) => strict(tolerance, output),
        Value::Number(number) if !number.is_f64() => strict(tolerance, status_of(output)),
        Value::Array(allowed) => list(allowed, output),
        Value::Object(rule) => by_rule(rule, output, variables),
        _ => Judgement::Missed(format!("{} is no tolerance", show(tolerance))),
    }
}

fn strict(tolerance: &Value, value: &Value) -> Judgement {
    Judgement::of(python::equal(tolerance, value), || {
        format!("{} is not {}", show(value), show(tolerance))
    })
}

/// Of processes and HTTP, the status is what is looked at.
fn status_of(output: &Value) -> &Value {
    output.get("status").unwrap_or(output)
}

/// Membership; two values are the ends of a range, unless there is a status.
fn list(allowed: &[Value], output: &Value) -> Judgement {
    let has_status = output.get("status").is_some();
    let value = status_of(output);
    if let ([low, high], false) = (allowed, has_status) {
        let ends = (python::compare(low, value), python::compare(value, high));
        let (Some(from), Some(to)) = ends else {
            return Judgement::Missed(format!(
                "{} cannot be compared with the range from {} to {}",
                show(value),
                show(low),
                show(high)
            ));
        };
        return Judgement::of(from != Ordering::Greater && to != Ordering::Greater, || {
            format!("{} is not from {} to {}", show(value), show(low), show(high))
        });
    }
    Judgement::of(allowed.iter().any(|one| python::equal(one, value)), || {
        format!("{} is none of {}", show(value), show(&Value::Array(allowed.to_vec())))
    })
}

fn by_rule(rule: &Map<String, Value>, output: &Value, variables: &Variables) -> Judgement {
    let kind = rule.get("type").and_then(Value::as_str).unwrap_or_default();
    if kind == "probe" {
        return ask(rule, output);
    }
    let value = match target(rule, output) {
        Ok(value) => value,
        Err(reason) => return Judgement::Missed(reason),
    };
    match kind {
        "regex" => by_pattern(rule, value, variables),
        "jsonpath" => by_path(rule, value, variables),
        "range" => by_range(rule, value),
        _ => Judgement::Missed(format!("there is no tolerance of the type `{kind}`")),
    }
}

/// The output becomes the argument `value` of the probe that judges.
fn ask(rule: &Map<String, Value>, output: &Value) -> Judgement {
    let mut activity = Value::Object(rule.clone());
    let arguments = activity.pointer_mut("/provider/arguments").and_then(Value::as_object_mut);
    let Some(arguments) = arguments else {
        return Judgement::Missed("the probe that judges takes no mapping of arguments".to_owned());
    };
    arguments.insert("value".to_owned(), output.clone());
    Judgement::Ask(activity)
}

/// The member of the output that is judged; the output itself if it has no such member.
fn target<'v>(rule: &Map<String, Value>, output: &'v Value) -> Result<&'v Value, String> {
    match rule.get("target") {
        Some(target) if python::truthy(target) => match output {
            Value::Object(members) => {
                let named = target.as_str().and_then(|name| members.get(name));
                Ok(named.unwrap_or(output))
            }
            _ => Err(format!("{} has no member {}", show(output), show(target))),
        },
        _ => Ok(output),
    }
}

fn by_pattern(rule: &Map<String, Value>, value: &Value, variables: &Variables) -> Judgement {
    let pattern = variables.substitute(rule.get("pattern").unwrap_or(&Value::Null));
    let (Value::String(pattern), Value::String(text)) = (&pattern, value) else {
        return Judgement::Missed(format!("{} is no text", show(value)));
    };
    match search(pattern, text) {
        Ok(found) => Judgement::of(found, || format!("{} does not match `{pattern}`", show(value))),
        Err(reason) => Judgement::Missed(format!("the pattern `{pattern}` is wrong: {reason}")),
    }
}

fn by_path(rule: &Map<String, Value>, value: &Value, variables: &Variables) -> Judgement {
    let path = variables.substitute(rule.get("path").unwrap_or(&Value::Null));
    let path = match path.as_str().map(|text| JsonPath::parse(text.trim())) {
        Some(Ok(path)) => path,
        Some(Err(error)) => return Judgement::Missed(format!("the path is wrong {error}")),
        None => return Judgement::Missed(format!("{} is no path", show(&path))),
    };
    let parsed = value.as_str().and_then(|text| serde_json::from_str(text).ok());
    let found = Value::Array(path.select(parsed.as_ref().unwrap_or(value)));
    let count = found.as_array().map_or(0, Vec::len);
    if let Some(expected) = rule.get("expect") {
        let expected = match variables.substitute(expected) {
            list @ Value::Array(_) => list,
            one => Value::Array(vec![one]),
        };
        return Judgement::of(python::equal(&found, &expected), || {
            format!("found {} and expected {}", show(&found), show(&expected))
        });
    }
    match rule.get("count").filter(|count| !count.is_null()) {
        Some(expected) => Judgement::of(python::equal(&Value::from(count), expected), || {
            format!("found {count} values and expected {}", show(expected))
        }),
        None => Judgement::of(count > 0, || "nothing was found".to_owned()),
    }
}

fn by_range(rule: &Map<String, Value>, value: &Value) -> Judgement {
    let Some([low, high]) = rule.get("range").and_then(Value::as_array).map(Vec::as_slice) else {
        return Judgement::Missed("a range has two ends".to_owned());
    };
    let ends = (decimal::compare(low, value), decimal::compare(value, high));
    let (Some(from), Some(to)) = ends else {
        return Judgement::Missed(format!("{} is no number", show(value)));
    };
    Judgement::of(from != Ordering::Greater && to != Ordering::Greater, || {
        format!("{} is not from {} to {}", show(value), show(low), show(high))
    })
}

/// A value as people read it, shortened.
pub(crate) fn show(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests;
