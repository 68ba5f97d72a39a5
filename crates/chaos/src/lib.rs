//! Fault plans: data that says what will be broken and when, drawn from a seed.
//!
//! Pure: no clock, no thread, no socket. The same seed gives the same plan on every machine, so that
//! a run can be repeated from its report. Carrying a plan out is its owner's business.

mod kill_plan;
mod random;

pub use kill_plan::{Kill, KillPlan, KillPlanError, Kills};
pub use random::Random;
