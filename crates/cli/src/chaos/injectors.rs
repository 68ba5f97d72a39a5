//! The injectors of this binary.

use std::ffi::OsString;
use std::net::SocketAddr;

use anyhow::Context;
use bulkhead_lab::{
    Bpf, GatewayInjector, GuardianCommand, HeldLinks, HostInjector, InterfaceInjector, KillProcess,
    NetemInjector, NetworkInjector, Nftables, Registry, RestartProcess, StopProcess,
};

/// All faults that `bulkhead chaos serve` can inject. One line for each injector. Commands that faults
/// name are run only if that is allowed, or what was killed for them is to be there again. Faults of the
/// network spare the address where the lab listens.
pub(crate) fn registry(
    allow_commands: bool,
    listen: Option<SocketAddr>,
) -> anyhow::Result<Registry> {
    Ok(Registry::new()
        .with(StopProcess::new(guardian_command()?))
        .with(KillProcess)
        .with(RestartProcess::new(allow_commands))
        .with(HostInjector::new(role("carry")?))
        .with(GatewayInjector)
        .with(interfaces(listen)?)
        .with_links(HeldLinks::new(role("hold-link")?)))
}

/// The carriers of faults at interfaces; first those of whose faults the kernel itself holds the end.
fn interfaces(listen: Option<SocketAddr>) -> anyhow::Result<NetworkInjector> {
    Ok(NetworkInjector::new()
        .with(InterfaceInjector::new(Bpf).sparing(listen))
        .with(InterfaceInjector::new(Nftables).sparing(listen))
        .with(NetemInjector::new(role("carry")?)))
}

/// This binary as the guardian of stopped processes.
pub(crate) fn guardian_command() -> anyhow::Result<GuardianCommand> {
    role("guardian")
}

/// This binary in another role.
fn role(name: &str) -> anyhow::Result<GuardianCommand> {
    let program = std::env::current_exe().context("find this executable")?.into_os_string();
    let arguments = ["chaos", name].map(OsString::from).to_vec();
    Ok(GuardianCommand { program, arguments })
}
