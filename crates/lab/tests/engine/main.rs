//! The lab at work on a fake injector and on real processes, and after having been killed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "roles tell their state, tests what they skip"
)]

mod crash;
mod fake;
mod host;
mod left_behind;
mod process;
mod runtime;
mod server;
mod stage;
