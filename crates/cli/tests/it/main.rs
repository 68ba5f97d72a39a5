//! The binary, from outside: exit statuses, output, signals.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test reports so")]

mod activation;
mod carriers;
mod chaos;
mod commands;
mod experiments;
mod faults;
mod game_day;
mod inert;
mod links;
mod prove;
mod run;
mod running;
mod supervise;
mod toxiproxy;
mod under_load;
mod upgrade;

use std::process::Command;

/// The built binary.
pub(crate) fn bulkhead() -> Command {
    Command::new(env!("CARGO_BIN_EXE_bulkhead"))
}
