//! Checks a tree against the declared format, and reads its scalars on the way.

mod describe;
mod unknown;

use std::collections::HashMap;

use describe::{expected, noun};
use unknown::unknown_key;

use crate::diagnostic::{Report, Show, Span, quote, quote_name};
use crate::format::{Key, Need, Rule, Shape, Table};
use crate::scalar::{Scalar, words};
use crate::value::{Item, TableValue, Value};
use crate::yaml::{Kind, Node};

/// Checks the tree of a whole file.
pub(crate) fn check(root: &Node, table: &'static Table, report: &mut Report<'_>) -> Item {
    Checker { report, file: table, path: Vec::new() }.table(root, table)
}

/// The keys that a table was given.
struct Given {
    keys: Vec<(&'static str, Span)>,
    /// Keys that were probably meant by those that the format does not know.
    meant: Vec<&'static str>,
}

struct Checker<'r, 'a> {
    report: &'r mut Report<'a>,
    /// The table of the whole file.
    file: &'static Table,
    /// The way from the root, for messages.
    path: Vec<String>,
}

impl Checker<'_, '_> {
    fn node(&mut self, node: &Node, shape: &Shape) -> Item {
        if node.is_null() && !matches!(shape, Shape::Scalar(Scalar::File)) {
            return self.wrong(node, "there is no value here", shape);
        }
        match (*shape, node.kind()) {
            (Shape::Scalar(scalar), Kind::Scalar { text, plain }) => {
                self.scalar(node.span(), scalar, text, *plain)
            }
            (Shape::Table(table), Kind::Mapping(_)) => self.table(node, table),
            (Shape::List { item, min }, Kind::Sequence(items)) => {
                if items.len() < min {
                    return self.wrong(node, "the list is empty", shape);
                }
                let mut list = Vec::with_capacity(items.len());
                for (index, node) in items.iter().enumerate() {
                    self.path.push(format!("[{index}]"));
                    list.push(self.node(node, item));
                    self.path.pop();
                }
                Item { span: node.span(), value: Value::List(list) }
            }
            (Shape::Map { key, value }, Kind::Mapping(entries)) => {
                self.map(node.span(), key, value, entries)
            }
            (Shape::OrOff(_), Kind::Scalar { text, plain: true })
                if text == "off" || text == "false" =>
            {
                Item { span: node.span(), value: Value::Off }
            }
            (Shape::OrOff(inner), _) => self.node(node, inner),
            (Shape::Either(first, _), Kind::Scalar { .. }) => self.node(node, first),
            (Shape::Either(_, second), Kind::Mapping(_)) => self.node(node, second),
            (Shape::Either(_, second @ Shape::List { .. }), _) => self.node(node, second),
            (Shape::Json, Kind::Mapping(_)) => {
                Item { span: node.span(), value: Value::Json(json(node).to_string()) }
            }
            (Shape::Json, Kind::Scalar { text, .. }) => {
                Item { span: node.span(), value: Value::Json(text.clone()) }
            }
            (_, Kind::Scalar { text, .. }) => {
                let message = format!("{} stands where {} is needed", quote(text), noun(shape));
                self.wrong(node, &message, shape)
            }
            (_, Kind::Sequence(_)) => {
                let message = format!("a list stands where {} is needed", noun(shape));
                self.wrong(node, &message, shape)
            }
            (_, Kind::Mapping(_)) => {
                let message = format!("a mapping stands where {} is needed", noun(shape));
                self.wrong(node, &message, shape)
            }
        }
    }

    /// Reports a node that cannot be of its shape.
    fn wrong(&mut self, node: &Node, message: &str, shape: &Shape) -> Item {
        let span = node.span();
        let message = match self.place() {
            place if place.is_empty() => message.to_owned(),
            place => format!("`{place}`: {message}"),
        };
        self.report.error(span, message).expected(expected(shape));
        Item { span, value: Value::Invalid }
    }

    fn scalar(&mut self, span: Span, scalar: Scalar, text: &str, plain: bool) -> Item {
        let fault = match scalar.read(text, plain) {
            Ok(value) => return Item { span, value },
            Err(fault) => fault,
        };
        let message = format!("`{}`: {}", self.place(), fault.message);
        // The text of a plain scalar in one line stands in the file as it is.
        let at = match fault.offset {
            Some(offset) if plain && span.width == text.chars().count() => {
                Span { column: span.column + offset, width: 1, ..span }
            }
            Some(offset) if span.width == text.chars().count() + 2 => {
                Span { column: span.column + offset + 1, width: 1, ..span }
            }
            _ => span,
        };
        let path = self.place();
        let found = self.report.error(at, message);
        // A pattern with a fault in it is a pattern; what is wrong in it was said.
        if fault.offset.is_none() {
            found.expected(scalar.expected());
        }
        found.path = path;
        found.suggestion = fault.suggestion;
        found.remedy = fault.remedy;
        if fault.hide {
            found.show(Show::Nothing);
        }
        Item { span, value: Value::Invalid }
    }

    fn map(
        &mut self,
        span: Span,
        key_kind: Scalar,
        shape: &Shape,
        entries: &[(Node, Node)],
    ) -> Item {
        let mut map: Vec<(Item, Item)> = Vec::with_capacity(entries.len());
        let mut seen: HashMap<String, usize> = HashMap::new();
        for (key, node) in entries {
            let Some((name, plain)) = self.key_text(key) else { continue };
            self.path.push(name.to_owned());
            let key_item = self.scalar(key.span(), key_kind, name, plain);
            if let Some(line) = seen.insert(key_item.text().to_owned(), key.span().line)
                && !key_item.text().is_empty()
            {
                self.duplicate(key, name, line);
            }
            let item = self.node(node, shape);
            self.path.pop();
            map.push((key_item, item));
        }
        Item { span, value: Value::Map(map) }
    }

    fn table(&mut self, node: &Node, table: &'static Table) -> Item {
        let span = node.span();
        let Kind::Mapping(entries) = node.kind() else {
            return self.wrong(node, "this is not a mapping", &Shape::Table(table));
        };
        let mut value = TableValue::default();
        let mut given: Vec<(&'static str, Span)> = Vec::new();
        let mut meant: Vec<&'static str> = Vec::new();
        for (key, node) in entries {
            let Some((name, _)) = self.key_text(key) else { continue };
            let Some(known) = table.key(name) else {
                let place = self.place();
                value.unknown_keys = true;
                meant.extend(unknown_key(self.report, key, (self.file, table), &place));
                continue;
            };
            if let Some((_, first)) = given.iter().find(|(given, _)| *given == known.name) {
                self.duplicate(key, name, first.line);
                continue;
            }
            given.push((known.name, key.span()));
            self.path.push(name.to_owned());
            let item = if node.is_null() && !matches!(known.shape, Shape::Scalar(Scalar::File)) {
                self.no_value(key, known)
            } else {
                self.node(node, &known.shape)
            };
            self.path.pop();
            value.entries.push((known.name, item));
        }
        self.complete(span, table, &Given { keys: given, meant }, &mut value);
        Item { span, value: Value::Table(value) }
    }

    /// Requires what is missing, adds defaults, and checks the rules between keys.
    fn complete(
        &mut self,
        span: Span,
        table: &'static Table,
        given: &Given,
        value: &mut TableValue,
    ) {
        let has = |name: &str| given.keys.iter().any(|(given, _)| *given == name);
        for key in table.keys.iter().filter(|key| !has(key.name)) {
            match key.need {
                Need::Optional => {}
                Need::Required if given.meant.contains(&key.name) => {}
                Need::Required => {
                    let message = format!("{} has no `{}`", self.subject(table), key.name);
                    self.report.error(Span { width: 1, ..span }, message).remedy(format!(
                        "add `{}`: {}",
                        key.name,
                        expected(&key.shape)
                    ));
                }
                Need::Default(text) => {
                    let item = default_item(text, key, span, self.file, self.report);
                    value.entries.push((key.name, item));
                }
            }
        }
        for rule in table.rules {
            let (Rule::ExactlyOne(names) | Rule::AtLeastOne(names)) = rule;
            let listed = words(names.iter().map(|name| (*name).to_owned()));
            let mut found = given.keys.iter().filter(|(name, _)| names.contains(name));
            match (found.next(), found.next(), rule) {
                (None, ..) if names.iter().any(|name| given.meant.contains(name)) => {}
                (None, ..) => {
                    let one =
                        if matches!(rule, Rule::ExactlyOne(_)) { "one" } else { "at least one" };
                    let message = format!("{} needs {one} of {listed}", self.subject(table));
                    self.report.error(Span { width: 1, ..span }, message);
                }
                (Some((first, _)), Some((second, at)), Rule::ExactlyOne(_)) => {
                    let message = format!("`{second}` cannot stand beside `{first}`");
                    self.report.error(*at, message).remedy(format!("keep one of {listed}"));
                }
                _ => {}
            }
        }
    }

    /// The text of a key; anything else is reported.
    fn key_text<'n>(&mut self, key: &'n Node) -> Option<(&'n str, bool)> {
        match key.kind() {
            Kind::Scalar { text, plain } => Some((text, *plain)),
            _ => {
                self.report.error(key.span(), "a key must be a plain word, not a list or mapping");
                None
            }
        }
    }

    fn no_value(&mut self, key: &Node, known: &Key) -> Item {
        let message = format!("`{}` has no value", self.place());
        let found = self.report.error(key.span(), message);
        found.expected(expected(&known.shape));
        if known.need != Need::Required {
            found.remedy("give it one, or remove the key");
        }
        Item { span: key.span(), value: Value::Invalid }
    }

    fn duplicate(&mut self, key: &Node, name: &str, line: usize) {
        let message = format!("{} stands twice; first in line {line}", quote_name(name));
        self.report.error(key.span(), message).remedy("remove one of the two").show(Show::UpToKey);
    }

    /// The path to where we are.
    fn place(&self) -> String {
        let mut place = String::new();
        for step in &self.path {
            if !place.is_empty() && !step.starts_with('[') {
                place.push('.');
            }
            place.push_str(step);
        }
        place
    }

    /// What a message about a whole table begins with.
    fn subject(&self, table: &Table) -> String {
        match self.place() {
            place if place.is_empty() => format!("the {}", table.name),
            place => format!("`{place}`"),
        }
    }
}

/// What stands for a key that was left out. Declared defaults are valid; a test reads each.
fn default_item(
    text: &str,
    key: &Key,
    span: Span,
    file: &'static Table,
    report: &mut Report<'_>,
) -> Item {
    let mut checker = Checker { report, file, path: Vec::new() };
    let shape = &key.shape;
    match (text, shape) {
        ("[]", _) => Item { span, value: Value::List(Vec::new()) },
        ("{}", Shape::Map { .. }) => Item { span, value: Value::Map(Vec::new()) },
        ("{}", Shape::Table(table) | Shape::OrOff(Shape::Table(table))) => {
            checker.table(&Node::mapping(Vec::new(), span), table)
        }
        ("[{}]", _) => {
            let empty = Node::mapping(Vec::new(), span);
            checker.node(&Node::sequence(vec![empty], span), shape)
        }
        _ => match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            Some(list) => {
                let items = list.split(", ").map(|item| Node::scalar(item, span)).collect();
                checker.node(&Node::sequence(items, span), shape)
            }
            None => checker.node(&Node::scalar(text, span), shape),
        },
    }
}

/// The tree as JSON, scalars as YAML's core schema reads them.
fn json(node: &Node) -> serde_json::Value {
    use serde_json::Value;
    match node.kind() {
        Kind::Scalar { text, plain } => match text.as_str() {
            _ if node.is_null() => Value::Null,
            "true" if *plain => Value::Bool(true),
            "false" if *plain => Value::Bool(false),
            number if *plain && number.parse::<i64>().is_ok() => {
                number.parse::<i64>().map_or(Value::Null, Value::from)
            }
            text => match serde_json::from_str(text) {
                Ok(Value::Number(number)) if *plain => Value::Number(number),
                _ => Value::String(text.to_owned()),
            },
        },
        Kind::Sequence(items) => Value::Array(items.iter().map(json).collect()),
        Kind::Mapping(entries) => {
            let key = |key: &Node| match key.kind() {
                Kind::Scalar { text, .. } => text.clone(),
                _ => String::new(),
            };
            Value::Object(entries.iter().map(|(name, value)| (key(name), json(value))).collect())
        }
    }
}
