//! The lab at work on a fake injector and on real processes, and after having been killed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod crash;
mod fake;
mod process;
mod runtime;
mod server;
mod stage;
