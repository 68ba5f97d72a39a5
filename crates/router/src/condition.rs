//! Conditions beside the path: method, headers, query.

use bulkhead_message::{Known, Method, RequestHead, is_token};

use crate::error::CompileErrorKind;
use crate::pattern::{PatternId, Patterns, PatternsBuilder};
use crate::spec::{MatchSpec, TextSpec, ValueSpec};

/// What a match asks for besides its path. All must hold.
#[derive(Debug)]
pub(crate) struct Conditions {
    method: Option<(Method, Box<[u8]>)>,
    headers: Box<[HeaderCondition]>,
    query: Box<[QueryCondition]>,
}

#[derive(Debug)]
struct HeaderCondition {
    known: Known,
    name: Box<[u8]>,
    text: TextCondition,
}

#[derive(Debug)]
struct QueryCondition {
    name: Box<[u8]>,
    text: TextCondition,
}

#[derive(Debug)]
enum TextCondition {
    Exact(Box<[u8]>),
    Pattern(PatternId),
    Present,
}

impl TextCondition {
    fn compile(spec: &TextSpec, patterns: &mut PatternsBuilder) -> Result<Self, CompileErrorKind> {
        Ok(match spec {
            TextSpec::Exact(text) => Self::Exact(text.as_bytes().into()),
            TextSpec::Regex(text) => Self::Pattern(patterns.intern(text)?.0),
            TextSpec::Present => Self::Present,
        })
    }

    fn holds(&self, value: &[u8], patterns: &Patterns) -> bool {
        match self {
            Self::Exact(text) => **text == *value,
            Self::Pattern(id) => patterns.is_match(*id, value),
            Self::Present => true,
        }
    }
}

impl Conditions {
    pub(crate) fn compile(
        spec: &MatchSpec,
        patterns: &mut PatternsBuilder,
    ) -> Result<Self, CompileErrorKind> {
        let method = match &spec.method {
            Some(token) if is_token(token.as_bytes()) => {
                Some((Method::of(token.as_bytes()), token.as_bytes().into()))
            }
            Some(token) => return Err(CompileErrorKind::Method(token.clone())),
            None => None,
        };
        let headers = spec.headers.iter().map(|spec| HeaderCondition::compile(spec, patterns));
        let headers = headers.collect::<Result<_, _>>()?;
        let query = spec.query.iter().map(|spec| {
            let text = TextCondition::compile(&spec.value, patterns)?;
            Ok(QueryCondition { name: spec.name.as_bytes().into(), text })
        });
        let query = query.collect::<Result<_, _>>()?;
        Ok(Self { method, headers, query })
    }

    /// The same, or nothing if there is no condition, so that most rules stay small.
    pub(crate) fn compile_any(
        spec: &MatchSpec,
        patterns: &mut PatternsBuilder,
    ) -> Result<Option<Box<Self>>, CompileErrorKind> {
        let compiled = Self::compile(spec, patterns)?;
        let any =
            compiled.method.is_some() || !compiled.headers.is_empty() || !compiled.query.is_empty();
        Ok(any.then(|| Box::new(compiled)))
    }

    /// Whether the head meets all conditions.
    #[inline]
    pub(crate) fn hold(&self, head: &RequestHead, patterns: &Patterns) -> bool {
        self.method_holds(head)
            && (self.headers.is_empty() || self.headers.iter().all(|c| c.holds(head, patterns)))
            && (self.query.is_empty() || self.query_holds(head, patterns))
    }

    #[inline]
    fn method_holds(&self, head: &RequestHead) -> bool {
        match &self.method {
            None => true,
            Some((Method::Extension, token)) => head.method_text() == &**token,
            Some((method, _)) => head.method() == *method,
        }
    }

    fn query_holds(&self, head: &RequestHead, patterns: &Patterns) -> bool {
        let Some(query) = head.query() else { return false };
        self.query.iter().all(|condition| {
            parameter(query, &condition.name)
                .is_some_and(|value| condition.text.holds(value, patterns))
        })
    }
}

impl HeaderCondition {
    fn compile(spec: &ValueSpec, patterns: &mut PatternsBuilder) -> Result<Self, CompileErrorKind> {
        let name = spec.name.to_ascii_lowercase();
        if !is_token(name.as_bytes()) {
            return Err(CompileErrorKind::HeaderName(spec.name.clone()));
        }
        let text = TextCondition::compile(&spec.value, patterns)?;
        Ok(Self { known: Known::of(name.as_bytes()), name: name.into_bytes().into(), text })
    }

    fn holds(&self, head: &RequestHead, patterns: &Patterns) -> bool {
        match self.known {
            Known::Host => head.has_authority() && self.text.holds(head.authority(), patterns),
            Known::Other => head
                .fields
                .iter()
                .filter(|field| field.known == Known::Other && *field.name == *self.name)
                .any(|field| self.text.holds(field.value, patterns)),
            known => head.fields.get_all(known).any(|value| self.text.holds(value, patterns)),
        }
    }
}

/// The value of the first query parameter of this name.
fn parameter<'a>(query: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    query.split(|&byte| byte == b'&').find_map(|pair| match pair.strip_prefix(name)? {
        [] => Some(&pair[pair.len()..]),
        [b'=', value @ ..] => Some(value),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
