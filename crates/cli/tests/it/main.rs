//! The binary, from outside: exit statuses, output, signals.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

mod commands;
mod prove;
mod run;

use std::process::Command;

/// The built binary.
pub(crate) fn bulkhead() -> Command {
    Command::new(env!("CARGO_BIN_EXE_bulkhead"))
}
