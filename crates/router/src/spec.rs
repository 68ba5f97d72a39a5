//! What the table is compiled from.

/// One route. Its place in the list is its number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteSpec {
    /// Exact names, `*.suffix` or `*`; empty: any host.
    pub hostnames: Vec<String>,
    /// Any of these must match; a route without matches is never found.
    pub matches: Vec<MatchSpec>,
}

/// All given parts must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchSpec {
    /// Path condition.
    pub path: PathSpec,
    /// Method token, case-sensitive; `None`: any.
    pub method: Option<String>,
    /// Header conditions.
    pub headers: Vec<ValueSpec>,
    /// Query parameter conditions.
    pub query: Vec<ValueSpec>,
}

/// How a path is matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathSpec {
    /// The whole path, or `*`.
    Exact(String),
    /// A prefix by whole segments; a slash at its end is ignored.
    Prefix(String),
    /// A template.
    Template(String),
    /// A pattern over the whole path.
    Regex(String),
}

impl Default for PathSpec {
    fn default() -> Self {
        Self::Prefix("/".to_owned())
    }
}

/// A condition on a named value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueSpec {
    /// Header name (any case) or query parameter name.
    pub name: String,
    /// The condition.
    pub value: TextSpec,
}

/// Conditions on text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextSpec {
    /// Equal.
    Exact(String),
    /// A pattern over the whole value.
    Regex(String),
    /// There, with any value.
    Present,
}
