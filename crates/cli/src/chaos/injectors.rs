//! The injectors of this binary.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use bulkhead_lab::{
    GatewayInjector, GuardianCommand, HeldCarriers, HeldLinks, HostInjector, KillProcess, Registry,
    RestartProcess, StopProcess,
};

/// All faults that `bulkhead chaos serve` can inject. One line for each injector. Commands that faults
/// name are run only if that is allowed, or what was killed for them is to be there again. Faults of the
/// network spare the address where the lab listens; those at interfaces are held by whoever is met at the socket
/// `carriers`, or by a child.
pub(crate) fn registry(
    allow_commands: bool,
    listen: Option<SocketAddr>,
    carriers: Option<&Path>,
) -> anyhow::Result<Registry> {
    Ok(Registry::new()
        .with(StopProcess::new(guardian_command()?))
        .with(KillProcess)
        .with(RestartProcess::new(allow_commands))
        .with(HostInjector::new(role("carry")?))
        .with(GatewayInjector)
        .with(interfaces(carriers)?.sparing(listen))
        .with_links(HeldLinks::new(role("hold-link")?)))
}

/// Faults at interfaces: nothing that the kernel has of them is in this process.
fn interfaces(carriers: Option<&Path>) -> anyhow::Result<HeldCarriers> {
    if let Some(socket) = carriers {
        // It is in the journal too, which is read elsewhere.
        let socket = std::path::absolute(socket).context("find the socket of the carriers")?;
        return Ok(HeldCarriers::at(socket));
    }
    let mut child = role("hold-carriers")?;
    // With no more rights than ours.
    child.arguments.push("--allow-everything".into());
    Ok(HeldCarriers::of_child(child))
}

/// This binary as the guardian of stopped processes.
pub(crate) fn guardian_command() -> anyhow::Result<GuardianCommand> {
    role("guardian")
}

/// This binary in another role.
pub(super) fn role(name: &str) -> anyhow::Result<GuardianCommand> {
    let program = std::env::current_exe().context("find this executable")?.into_os_string();
    let arguments = ["chaos", name].map(OsString::from).to_vec();
    Ok(GuardianCommand { program, arguments })
}
