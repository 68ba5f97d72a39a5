//! Experiments as they are written down: Chaos Toolkit's format, and Chaos Mesh's objects as far as they
//! have an equivalent.
//!
//! Pure: text goes in, decisions come out. What an experiment calls (processes, servers, the lab), what
//! time it is and what the environment holds comes from whoever runs it.

mod call;
mod chaos_mesh;
mod document;
mod duration;
mod extension;
mod journal;
mod json_path;
mod model;
mod native;
mod python;
mod runner;
mod schema;
mod substitution;
mod summary;
mod tolerance;
mod validate;
mod variables;

pub use call::{Arguments, Call, HttpCall, HttpReply, Outcome, ProcessCall, ProcessReply};
pub use chaos_mesh::{Imported, LeftOut, import};
pub use document::Syntax;
pub use extension::{Abort, Budget, Compare, Extension};
pub use journal::{Aborted, Frame, Host, Journal, LabRecord, Record, Status, SteadyState};
pub use model::{Dry, Experiment, HypothesisStrategy, RollbackStrategy};
pub use native::{Injection, LabCall, Target, Wanted};
pub use runner::{CallId, Event, Next, Note, Options, Runner};
pub use schema::schema;
pub use substitution::Variables;
pub use summary::{Comparison, FaultSummary, Spent};
pub use tolerance::within_tolerance;
pub use validate::{Environment, parse};
pub use variables::{Given, VariableError};
