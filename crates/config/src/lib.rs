//! Text → checked [`Config`].
//!
//! YAML (JSON is a subset of it) is parsed with the place of each node, turned into the types of
//! [`model`], and checked as a whole. A wrong configuration gives diagnostics that name file,
//! line, column, what was expected and the nearest valid name; it never gives a half-built value.
//! Pure: no file, environment variable or clock is read here.

pub mod model;

pub use model::Config;
