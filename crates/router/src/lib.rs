//! The compiled route table: request head → route.
//!
//! [`RouteTable::compile`] turns [`RouteSpec`]s into an immutable table; [`RouteTable::find`] gives
//! the best match for a head. Pure: no configuration format, no I/O, no clock. Finding allocates
//! nothing, and its work is bounded by the size of the configuration, never by a hostile path.
//!
//! # What matches
//! - **Host**: the authority without port and trailing dot, in any case. `*.example.com` stands for
//!   one or more labels before `.example.com`. A route without hostnames, or with `*`, takes any.
//! - **Path**: the bytes of the target before `?`, as they came: nothing is decoded, and neither
//!   `//` nor `/../` is resolved (the codec refuses paths that are not valid). `Prefix("/")` also
//!   takes targets that are no paths (`*` of `OPTIONS`, the empty one of `CONNECT`).
//! - **Template**: segments are literal, `{name}` (any one segment that is not empty),
//!   `{name:pattern}` (the same, and the pattern takes all of it), and, at the end, `{name*}` (the rest
//!   of the path after the slash; may be empty).
//! - **Patterns** work on bytes, not on Unicode (`\d` is `[0-9]`), and must match the whole text.
//! - **Header**: any field of that name may satisfy the condition; `host` means the authority.
//! - **Query**: the first parameter of that name, undecoded; without `=` its value is empty.
//!
//! # Which match wins
//! As in Kubernetes Gateway API's `HTTPRoute`, extended for templates and patterns. Of all that match:
//! 1. the most specific hostname: exact, then the longest wildcard, then any;
//! 2. the path: `Exact`; then `Template` without a rest; then `Regex`; then `Prefix` and `Template`
//!    with a rest. Within templates: more literal bytes, then fewer parameters, then more parameters
//!    with a pattern. Within `Regex`: the longer pattern. Within the last group: more literal bytes (slashes
//!    count, the one at the end of a prefix does not), then as templates;
//! 3. one with a method before one without;
//! 4. more header conditions;
//! 5. more query conditions;
//! 6. the earlier route, and in it the earlier match.

mod condition;
mod error;
mod hashed;
mod host;
mod pattern;
mod rank;
mod rule;
mod server_names;
mod spec;
mod table;
mod template;
mod tree;

pub use error::{CompileError, CompileErrorKind};
pub use rule::{Match, PARAMETERS_MAX};
pub use server_names::ServerNames;
pub use spec::{MatchSpec, PathSpec, RouteSpec, TextSpec, ValueSpec};
pub use table::RouteTable;
pub use template::SEGMENTS_MAX;
