//! Why a table cannot be compiled.

/// The first thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct CompileError {
    /// Number of the route.
    pub route: usize,
    /// Number of the match in the route; `None`: a hostname is wrong.
    pub match_index: Option<usize>,
    /// What is wrong.
    pub kind: CompileErrorKind,
}

/// What is wrong with a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompileErrorKind {
    /// Not a hostname, `*.suffix` or `*`.
    #[error("`{0}` is not a hostname: expected `name`, `*.suffix` or `*`, without a port")]
    Hostname(String),
    /// A path that no request can have.
    #[error("path `{0}` must begin with `/` and contain neither `?` nor `#`")]
    Path(String),
    /// Braces that do not pair, or stand within a segment.
    #[error(
        "segment `{0}`: a parameter takes a whole segment: `{{name}}`, `{{name:pattern}}`, `{{name*}}`"
    )]
    Segment(String),
    /// A parameter without a proper name.
    #[error("`{0}` is not a parameter name: expected letters, digits, `_` or `-`")]
    ParameterName(String),
    /// Two parameters with one name.
    #[error("parameter `{0}` is given twice")]
    ParameterTwice(String),
    /// `{name*}` before the end.
    #[error("`{{{0}*}}` takes the rest of the path, so it must stand at the end")]
    RestNotLast(String),
    /// Too many segments.
    #[error("more than {max} segments", max = crate::SEGMENTS_MAX)]
    TooManySegments,
    /// Too many parameters.
    #[error("more than {max} parameters", max = crate::PARAMETERS_MAX)]
    TooManyParameters,
    /// Not a pattern, or too large a one.
    #[error("pattern `{pattern}`: {reason}")]
    Pattern {
        /// Its text.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Not a method token.
    #[error("`{0}` is not a method")]
    Method(String),
    /// Not a header name.
    #[error("`{0}` is not a header name")]
    HeaderName(String),
    /// More matches than the table can number.
    #[error("too many matches")]
    TooManyMatches,
}
