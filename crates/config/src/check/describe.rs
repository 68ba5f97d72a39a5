//! What may stand at a place, in words.

use crate::format::Shape;
use crate::scalar::words;

/// What a shape is called where something else stands.
pub(super) fn noun(shape: &Shape) -> &'static str {
    match shape {
        Shape::Scalar(_) => "a single value",
        Shape::Table(_) | Shape::Map { .. } | Shape::Json => "a mapping",
        Shape::List { .. } => "a list",
        Shape::Either(_, Shape::List { .. }) => "a single value or a list",
        Shape::Either(..) => "a single value or a mapping",
        Shape::OrOff(inner) => noun(inner),
    }
}

/// What may stand at a place.
pub(super) fn expected(shape: &Shape) -> String {
    match *shape {
        Shape::Scalar(scalar) => scalar.expected().into_owned(),
        Shape::Table(table) => {
            let keys = words(table.keys.iter().map(|key| key.name.to_owned()));
            format!("mapping with {keys}")
        }
        Shape::Map { key, value } => format!("mapping of {} to {}", key.expected(), brief(value)),
        Shape::List { item, .. } => format!("list, each item: {}", brief(item)),
        Shape::Either(first, second) => format!("{}, or {}", expected(first), expected(second)),
        Shape::OrOff(inner) => format!("{}, or `off`", expected(inner)),
        Shape::Json => "mapping, or JSON text".to_owned(),
    }
}

/// As [`expected`], without the keys of tables.
fn brief(shape: &Shape) -> String {
    match *shape {
        Shape::Table(table) => {
            let article = if table.name.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
            format!("{article} {}", table.name.replace('_', " "))
        }
        Shape::Either(first, second) => format!("{}, or {}", brief(first), brief(second)),
        _ => expected(shape),
    }
}
