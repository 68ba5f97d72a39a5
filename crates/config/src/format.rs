//! The file format as data: one declaration of each table drives parsing, the JSON Schema and the
//! reference, so that the three cannot drift apart. Knows nothing of YAML or of diagnostics.

pub(crate) mod backends;
pub(crate) mod balance;
pub(crate) mod browsers;
pub(crate) mod discovery;
pub(crate) mod edge;
pub(crate) mod fault;
pub(crate) mod frontends;
pub(crate) mod keep_alive;
pub(crate) mod layer4;
pub(crate) mod mirror;
pub(crate) mod overload;
pub(crate) mod resilience;
pub(crate) mod retry;
pub(crate) mod routes;
pub(crate) mod tls;

pub(crate) use frontends::FILE;

use crate::scalar::Scalar;

/// A mapping with known keys.
#[derive(Debug)]
pub struct Table {
    /// Identifier in the schema and heading in the reference, e.g. `listener`.
    pub name: &'static str,
    /// One or two sentences for the reference.
    pub about: &'static str,
    /// In the order of the reference.
    pub keys: &'static [Key],
    /// What must hold between keys.
    pub rules: &'static [Rule],
    /// Keys that people write here and that do not exist, each with what to do instead.
    pub hints: &'static [(&'static str, &'static str)],
}

/// A key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it stands in the file.
    pub name: &'static str,
    /// What its value looks like.
    pub shape: Shape,
    /// Whether it must be there.
    pub need: Need,
    /// One sentence for the reference, with units and limits that the shape does not say.
    pub about: &'static str,
}

/// Whether a key must be there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Need {
    /// Must be given.
    Required,
    /// May be left out, and means what the description says then.
    Optional,
    /// May be left out; this text, as it would stand in the file, is taken instead.
    Default(&'static str),
}

/// What must hold between the keys of a table.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// Exactly one of these keys is given.
    ExactlyOne(&'static [&'static str]),
    /// At least one of these keys is given.
    AtLeastOne(&'static [&'static str]),
}

/// What a value looks like.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A single value.
    Scalar(Scalar),
    /// A mapping with known keys.
    Table(&'static Table),
    /// A list with at least `min` items.
    List {
        /// Shape of each item.
        item: &'static Self,
        /// Fewest items.
        min: usize,
    },
    /// A mapping with free keys.
    Map {
        /// Kind of each key.
        key: Scalar,
        /// Shape of each value.
        value: &'static Self,
    },
    /// The first shape if the value is a scalar, the second if it is a mapping or, where the second
    /// is a list, a list.
    Either(&'static Self, &'static Self),
    /// The shape, or the word `off`.
    OrOff(&'static Self),
    /// A mapping of any content, or the same as JSON text.
    Json,
}

impl Shape {
    /// Tables that stand directly in this shape.
    pub(crate) fn tables(&self) -> Vec<&'static Table> {
        match *self {
            Self::Scalar(_) | Self::Json => Vec::new(),
            Self::Table(table) => vec![table],
            Self::List { item: inner, .. }
            | Self::Map { value: inner, .. }
            | Self::OrOff(inner) => inner.tables(),
            Self::Either(first, second) => {
                let mut tables = first.tables();
                tables.extend(second.tables());
                tables
            }
        }
    }

    /// What follows the name of a key of this shape in the path of a key below it.
    fn path_suffix(&self) -> &'static str {
        match *self {
            Self::List { .. } => "[]",
            Self::Map { .. } => ".<name>",
            Self::OrOff(inner) | Self::Either(_, inner) => inner.path_suffix(),
            Self::Scalar(_) | Self::Table(_) | Self::Json => "",
        }
    }
}

impl Table {
    /// The key of that name.
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// Calls `visit` with the path and the table of each table below `root`, the file itself first.
/// A table that stands in several places is visited at each.
pub(crate) fn visit_tables(root: &'static Table, visit: &mut dyn FnMut(&str, &'static Table)) {
    fn walk(path: &str, table: &'static Table, visit: &mut dyn FnMut(&str, &'static Table)) {
        visit(path, table);
        for key in table.keys {
            let dot = if path.is_empty() { "" } else { "." };
            let path = format!("{path}{dot}{}{}", key.name, key.shape.path_suffix());
            for inner in key.shape.tables() {
                walk(&path, inner, visit);
            }
        }
    }
    walk("", root, visit);
}

/// Paths of the tables below `root` that know the key `name`; the file itself is the empty path.
pub(crate) fn homes(root: &'static Table, name: &str) -> Vec<String> {
    let mut homes = Vec::new();
    visit_tables(root, &mut |path, table| {
        if table.key(name).is_some() {
            homes.push(path.to_owned());
        }
    });
    homes
}

/// A key that must be given.
pub const fn required(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, need: Need::Required, about }
}

/// A key that may be left out.
pub const fn optional(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, need: Need::Optional, about }
}

/// A key with a default.
pub const fn default(
    name: &'static str,
    shape: Shape,
    text: &'static str,
    about: &'static str,
) -> Key {
    Key { name, shape, need: Need::Default(text), about }
}

/// A duration in milliseconds between the two, inclusive.
pub const fn duration(min_ms: u64, max_ms: u64) -> Shape {
    Shape::Scalar(Scalar::Duration { min_ms, max_ms })
}

/// A whole number between the two, inclusive.
pub const fn integer(min: u64, max: u64) -> Shape {
    Shape::Scalar(Scalar::Integer { min, max })
}

/// A size in bytes between the two, inclusive.
pub const fn size(min: u64, max: u64) -> Shape {
    Shape::Scalar(Scalar::Size { min, max })
}

/// Any text.
pub const TEXT: Shape = Shape::Scalar(Scalar::Text);
/// `true` or `false`.
pub const BOOL: Shape = Shape::Scalar(Scalar::Bool);
/// Name of a file.
pub const FILE_NAME: Shape = Shape::Scalar(Scalar::File);
pub(crate) const ENVIRONMENT: Shape = Shape::Scalar(Scalar::Environment);
pub(crate) const ADDRESS: Shape = Shape::Scalar(Scalar::Address);
const LISTEN_ADDRESS: Shape = Shape::Scalar(Scalar::ListenAddress);
/// Name of something in the file.
pub const NAME: Shape = Shape::Scalar(Scalar::Name);
pub(crate) const HOST: Shape = Shape::Scalar(Scalar::Host);
pub(crate) const PATH: Shape = Shape::Scalar(Scalar::Path);

/// A decimal number between the two, inclusive.
pub const fn decimal(min: f64, max: f64) -> Shape {
    Shape::Scalar(Scalar::Decimal { min, max })
}

/// Milliseconds in a second.
pub const SECOND: u64 = 1_000;
/// Milliseconds in a day: no time-out may be longer.
pub const DAY: u64 = 24 * 3_600 * SECOND;

#[cfg(test)]
mod tests;
