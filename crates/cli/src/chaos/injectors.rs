//! The injectors of this binary.

use std::ffi::OsString;

use anyhow::Context;
use bulkhead_lab::{GatewayInjector, GuardianCommand, KillProcess, Registry, StopProcess};

/// All faults that `bulkhead chaos serve` can inject. One line for each injector.
pub(crate) fn registry() -> anyhow::Result<Registry> {
    let stop = StopProcess::new(guardian_command()?);
    Ok(Registry::new().with(stop).with(KillProcess).with(GatewayInjector))
}

/// This binary as the guardian of stopped processes.
pub(crate) fn guardian_command() -> anyhow::Result<GuardianCommand> {
    let program = std::env::current_exe().context("find this executable")?.into_os_string();
    let arguments = ["chaos", "guardian"].map(OsString::from).to_vec();
    Ok(GuardianCommand { program, arguments })
}
