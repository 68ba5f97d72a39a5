//! What a path selects.

use serde_json::{Value, json};

use super::Segment;
use super::expression::{Comparison, Expression, Function, Operand, Query, Subscript};
use crate::python;

/// Values that a path may select, also on its way.
const SELECTED_MAX: usize = 100_000;

pub(super) fn select(segments: &[Segment], root: &Value, current: &Value) -> Vec<Value> {
    segments.iter().fold(vec![current.clone()], |values, segment| {
        let mut selected = Vec::new();
        for value in &values {
            if segment.recursive {
                descend(segment, root, value, &mut selected);
            } else {
                subscripts(&segment.subscripts, root, value, &mut selected);
            }
        }
        selected.truncate(SELECTED_MAX);
        selected
    })
}

/// The value itself first, then each of its children, depth first.
fn descend(segment: &Segment, root: &Value, value: &Value, selected: &mut Vec<Value>) {
    if selected.len() >= SELECTED_MAX {
        return;
    }
    subscripts(&segment.subscripts, root, value, selected);
    children(value).for_each(|child| descend(segment, root, child, selected));
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(members) => Box::new(members.values()),
        _ => Box::new(std::iter::empty()),
    }
}

fn subscripts(list: &[Subscript], root: &Value, value: &Value, selected: &mut Vec<Value>) {
    for subscript in list {
        apply(subscript, root, value, selected);
    }
}

fn apply(subscript: &Subscript, root: &Value, value: &Value, selected: &mut Vec<Value>) {
    match subscript {
        Subscript::Name(name) => selected.extend(value.get(name).cloned()),
        Subscript::Index(index) => selected.extend(at(value, *index).cloned()),
        Subscript::Slice { start, end, step } => slice(value, *start, *end, *step, selected),
        Subscript::Wildcard => selected.extend(children(value).cloned()),
        Subscript::Filter(expression) => {
            if holds(expression, root, value) {
                selected.push(value.clone());
            }
        }
        Subscript::Computed(query) => {
            for key in query_values(query, root, value) {
                match &key {
                    Value::String(name) => selected.extend(value.get(name).cloned()),
                    other => {
                        let index = python::number(other).and_then(|index| index.as_i64());
                        selected.extend(index.and_then(|index| at(value, index)).cloned());
                    }
                }
            }
        }
        Subscript::Call(function, arguments) => {
            let arguments: Vec<Vec<Value>> =
                arguments.iter().map(|argument| operand_values(argument, root, value)).collect();
            selected.extend(call(*function, value, &arguments));
        }
    }
}

fn at(value: &Value, index: i64) -> Option<&Value> {
    let items = value.as_array()?;
    let length = i64::try_from(items.len()).ok()?;
    let index = if index < 0 { index + length } else { index };
    items.get(usize::try_from(index).ok()?)
}

/// As `jsonpath2` computes it: Python's `range` over indices, of which negative ones count from the end.
fn slice(
    value: &Value,
    start: Option<i64>,
    end: Option<i64>,
    step: Option<i64>,
    selected: &mut Vec<Value>,
) {
    let Some(items) = value.as_array() else { return };
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let start = match start {
        Some(start) if start < 0 => start.saturating_add(length.max(start.saturating_abs())),
        Some(start) => start,
        None => 0,
    };
    let end = match end {
        Some(end) if end < 0 => end.saturating_add(length),
        Some(end) => end,
        None => length,
    };
    let step = step.unwrap_or(1);
    // Beyond the list there is nothing: no need to count there.
    let end = end.clamp(-length - 1, length);
    let mut index = if step > 0 { start } else { start.min(length) };
    while (step > 0 && index < end) || (step < 0 && index > end) {
        selected.extend(at(value, index).cloned());
        index = index.saturating_add(step);
    }
}

fn call(function: Function, value: &Value, arguments: &[Vec<Value>]) -> Option<Value> {
    let index =
        |place: usize| -> Option<i64> { python::number(arguments.get(place)?.first()?)?.as_i64() };
    match (function, value, arguments.len()) {
        (Function::CharAt, Value::String(text), 1) => {
            let letters: Vec<char> = text.chars().collect();
            let at = from_end(index(0)?, letters.len())?;
            letters.get(at).map(|letter| json!(letter.to_string()))
        }
        (Function::Substring, Value::String(text), 1 | 2) => {
            let letters: Vec<char> = text.chars().collect();
            let bound = |index: i64| {
                let length = i64::try_from(letters.len()).unwrap_or(i64::MAX);
                let index = if index < 0 { index + length } else { index };
                usize::try_from(index.clamp(0, length)).unwrap_or(0)
            };
            let end = if arguments.len() == 2 { bound(index(1)?) } else { letters.len() };
            let start = bound(index(0)?).min(end);
            Some(json!(letters[start..end].iter().collect::<String>()))
        }
        (Function::Length, Value::String(text), 0) => Some(json!(text.chars().count())),
        (Function::Length, Value::Array(items), 0) => Some(json!(items.len())),
        (Function::Keys, Value::Object(members), 0) => Some(members.keys().cloned().collect()),
        (Function::Keys, Value::Array(items), 0) => Some((0..items.len()).collect()),
        (Function::Values, Value::Object(members), 0) => Some(members.values().cloned().collect()),
        (Function::Values, Value::Array(_), 0) => Some(value.clone()),
        (Function::Entries, Value::Object(members), 0) => {
            Some(members.iter().map(|(name, value)| json!([name, value])).collect())
        }
        (Function::Entries, Value::Array(items), 0) => {
            Some(items.iter().enumerate().map(|(at, value)| json!([at, value])).collect())
        }
        _ => None,
    }
}

fn from_end(index: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    usize::try_from(if index < 0 { index + length } else { index }).ok()
}

fn query_values(query: &Query, root: &Value, current: &Value) -> Vec<Value> {
    select(&query.segments, root, if query.from_root { root } else { current })
}

fn operand_values(operand: &Operand, root: &Value, current: &Value) -> Vec<Value> {
    match operand {
        Operand::Query(query) => query_values(query, root, current),
        Operand::Literal(value) => vec![value.clone()],
    }
}

fn holds(expression: &Expression, root: &Value, current: &Value) -> bool {
    match expression {
        Expression::And(left, right) => holds(left, root, current) && holds(right, root, current),
        Expression::Or(left, right) => holds(left, root, current) || holds(right, root, current),
        Expression::Not(inner) => !holds(inner, root, current),
        Expression::Some(Operand::Query(query)) => !query_values(query, root, current).is_empty(),
        Expression::Some(Operand::Literal(value)) => python::truthy(value),
        Expression::Compare(left, comparison, right) => {
            let right = operand_values(right, root, current);
            operand_values(left, root, current)
                .iter()
                .any(|left| right.iter().any(|right| compares(left, *comparison, right)))
        }
    }
}

fn compares(left: &Value, comparison: Comparison, right: &Value) -> bool {
    // Only numbers have an order here; elsewhere in Python texts have one too.
    let ordered = || match (python::number(left), python::number(right)) {
        (Some(_), Some(_)) => python::compare(left, right),
        _ => None,
    };
    match comparison {
        Comparison::Equal => python::equal(left, right),
        Comparison::NotEqual => !python::equal(left, right),
        Comparison::Less => ordered().is_some_and(std::cmp::Ordering::is_lt),
        Comparison::LessOrEqual => ordered().is_some_and(std::cmp::Ordering::is_le),
        Comparison::Greater => ordered().is_some_and(std::cmp::Ordering::is_gt),
        Comparison::GreaterOrEqual => ordered().is_some_and(std::cmp::Ordering::is_ge),
    }
}
