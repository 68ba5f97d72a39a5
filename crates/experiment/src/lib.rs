//! Experiments as they are written down: Chaos Toolkit's format, and Chaos Mesh's objects as far as they
//! have an equivalent.
//!
//! Pure: text goes in, decisions come out. What an experiment calls (processes, servers, the lab), what
//! time it is and what the environment holds comes from whoever runs it.

mod document;
mod duration;
mod extension;
mod json_path;
mod model;
mod native;
mod python;
mod substitution;
mod tolerance;
mod validate;
mod variables;

pub use document::Syntax;
pub use extension::{Abort, Extension};
pub use model::{Dry, Experiment, HypothesisStrategy, RollbackStrategy};
pub use native::{Injection, LabCall};
pub use substitution::Variables;
pub use validate::{Environment, parse};
pub use variables::{Given, VariableError};
