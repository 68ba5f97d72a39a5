//! Precedence among matches of one host, as a key that sorts the winner first.

use std::cmp::Reverse;

use crate::spec::{MatchSpec, PathSpec};
use crate::template::Template;

/// Kind of path, the stronger first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Exact,
    Template,
    Regex,
    Prefix,
}

/// The key. Field order is the order of the rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    kind: Kind,
    /// Literal bytes, or length of the pattern.
    length: Reverse<usize>,
    parameters: usize,
    patterns: Reverse<usize>,
    without_method: bool,
    headers: Reverse<usize>,
    query: Reverse<usize>,
    route: usize,
    match_index: usize,
}

impl Rank {
    /// `template` is the parsed path of a template or prefix.
    pub(crate) fn of(
        spec: &MatchSpec,
        template: Option<&Template>,
        route: usize,
        match_index: usize,
    ) -> Self {
        let (kind, length) = match (&spec.path, template) {
            (PathSpec::Template(_), Some(template)) if !template.has_rest() => {
                (Kind::Template, template.literal_bytes())
            }
            (PathSpec::Template(_) | PathSpec::Prefix(_), template) => {
                (Kind::Prefix, template.map_or(0, Template::literal_bytes))
            }
            // Two exact paths that match are equal, so their length says nothing.
            (PathSpec::Exact(_), _) => (Kind::Exact, 0),
            (PathSpec::Regex(pattern), _) => (Kind::Regex, pattern.len()),
        };
        Self {
            kind,
            length: Reverse(length),
            parameters: template.map_or(0, |template| template.names().count()),
            patterns: Reverse(template.map_or(0, Template::patterns)),
            without_method: spec.method.is_none(),
            headers: Reverse(spec.headers.len()),
            query: Reverse(spec.query.len()),
            route,
            match_index,
        }
    }
}
