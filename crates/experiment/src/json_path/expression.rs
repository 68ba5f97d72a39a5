//! What stands in the brackets of a path.

use serde_json::Value;

use super::Segment;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Subscript {
    Name(String),
    /// From the end if negative.
    Index(i64),
    Slice {
        start: Option<i64>,
        end: Option<i64>,
        step: Option<i64>,
    },
    Wildcard,
    Filter(Expression),
    /// The text or number that this path selects is the name or index.
    Computed(Query),
    Call(Function, Vec<Operand>),
}

/// A path within a path.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Query {
    /// From `$`, not from `@`.
    pub(super) from_root: bool,
    pub(super) segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    Query(Query),
    Literal(Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    CharAt,
    Entries,
    Keys,
    Length,
    Substring,
    Values,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Compare(Operand, Comparison, Operand),
    /// Selects something, or is true.
    Some(Operand),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}
