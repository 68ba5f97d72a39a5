//! Text → checked [`Config`].
//!
//! YAML (JSON is a subset of it) is parsed with the place of each node, turned into the types of
//! [`model`], and checked as a whole. A wrong configuration gives diagnostics that name file,
//! line, column, what was expected and the nearest valid name; it never gives a half-built value.
//! Pure: no file, environment variable or clock is read here, and no secret is ever part of a
//! configuration or of a diagnostic.
//!
//! The format is declared once, as data (`format.rs`); parsing, [`schema()`] and [`reference()`]
//! all follow the declaration.

mod build;
mod check;
mod diagnostic;
pub mod document;
mod format;
pub mod model;
mod nearest;
mod quick;
mod reference;
mod scalar;
mod schema;
mod value;
mod yaml;

pub use build::discovery::parse_endpoints;
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use model::Config;
pub use reference::reference;
pub use schema::schema;

/// What an empty file is told.
const NEEDED: &str =
    "a configuration has at least `listeners`, and `routes`, `tcp_routes` or `tls_routes`";

/// A configuration that can be used, and what is odd about it.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The configuration.
    pub config: Config,
    /// What hardly does what was meant: routes never reached, clusters never used.
    pub warnings: Vec<Diagnostic>,
}

/// Parses and checks a whole configuration. `file` is its name in diagnostics; nothing is read.
///
/// Limits: 16 MiB, 200,000 values counting what aliases stand for, 64 levels.
///
/// # Errors
/// Everything found wrong, in the order of the file, up to 100.
pub fn parse(text: &str, file: &str) -> Result<Checked, Diagnostics> {
    document::read(text, file, &format::FILE, NEEDED, build::build)
        .map(|(config, warnings)| Checked { config, warnings })
}
