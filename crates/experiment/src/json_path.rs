//! JSON paths as Chaos Toolkit's tolerances have them: the dialect of the Python package `jsonpath2`, not
//! RFC 9535. They differ where it matters: `=` compares, a filter `[?(…)]` keeps or drops the value it
//! stands behind instead of that value's children, and there are functions such as `length()`.

mod evaluate;
mod expression;
mod parse;
mod token;

use serde_json::Value;

use expression::Subscript;

/// A path, compiled.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JsonPath(Vec<Segment>);

/// What follows `$` or what was selected before.
#[derive(Clone, Debug, PartialEq)]
struct Segment {
    /// Behind `..`: of the value itself and all below it.
    recursive: bool,
    subscripts: Vec<Subscript>,
}

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {offset}: {message}")]
pub(crate) struct JsonPathError {
    /// Characters from the start of the text.
    pub(crate) offset: usize,
    pub(crate) message: &'static str,
}

impl JsonPath {
    /// Compiles a path.
    pub(crate) fn parse(text: &str) -> Result<Self, JsonPathError> {
        parse::parse(text)
    }

    /// The values that it selects, in the order of the document; at most 100,000.
    pub(crate) fn select(&self, document: &Value) -> Vec<Value> {
        evaluate::select(&self.0, document, document)
    }
}

#[cfg(test)]
mod tests;
