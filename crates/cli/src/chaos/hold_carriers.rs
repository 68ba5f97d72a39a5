//! `bulkhead chaos hold-carriers`: the one part of the lab that needs rights over networks.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use bulkhead_lab::{Allowed, AllowedInterface, CarrierDoor, hold_carriers};

use super::injectors::role;
use crate::interrupt::Interrupt;

/// Hold faults at interfaces for labs that are not root
///
/// Labs are started with `--carriers SOCKET` and need no privilege then. For each of them there is a process of
/// its own that holds what the kernel has of its faults: it ends with its lab, with this command, and when it is
/// killed, and each time the kernel takes the faults back. Only root, the user of this command and the one of
/// --user may ask, which the kernel is asked for, and only for what is allowed.
///
/// Without --socket carriers are held for the one lab at the socket that is standard input, as a lab starts it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Run it as root, or with CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN (for bpf also CAP_BPF), in the lab's network namespace.

Examples:
  sudo bulkhead chaos hold-carriers --socket /run/bulkhead.sock --user $(id -u) --allow eth0:tcp:80 --allow lo:udp
  sudo bulkhead chaos hold-carriers --socket /run/bulkhead.sock --user 1000 --allow eth0@/run/netns/blue
  bulkhead chaos serve --carriers /run/bulkhead.sock")]
pub(super) struct HoldCarriersArgs {
    /// Where labs ask; made, and removed at the end
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Who may ask beside root and the user of this command
    #[arg(long, value_name = "UID", requires = "socket")]
    user: Option<u32>,
    /// What may be struck: an interface (of a namespace, as orders name it), or its packets of a protocol, or
    /// from and to a port. May be repeated
    #[arg(long, value_name = "INTERFACE[:PROTOCOL[:PORT]][@NAMESPACE]")]
    allow: Vec<AllowedInterface>,
    /// Whatever is ordered may be struck, in every network namespace: whoever may ask may then cut this machine off
    #[arg(long, conflicts_with = "allow", required_unless_present = "allow")]
    allow_everything: bool,
}

pub(super) fn execute(args: &HoldCarriersArgs) -> anyhow::Result<ExitCode> {
    match &args.socket {
        Some(socket) => meet(args, socket),
        None => {
            let allowed = match args.allow_everything {
                true => Allowed::Everything,
                false => Allowed::Only(args.allow.clone()),
            };
            hold_carriers(allowed, role("carry")?)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Listens, and starts this command without a socket for each lab.
fn meet(args: &HoldCarriersArgs, socket: &Path) -> anyhow::Result<ExitCode> {
    let interrupt = Interrupt::watch()?;
    let mut command = role("hold-carriers")?;
    if args.allow_everything {
        command.arguments.push("--allow-everything".into());
    }
    for interface in &args.allow {
        command.arguments.extend([OsString::from("--allow"), interface.to_string().into()]);
    }
    let door = CarrierDoor::open(socket, args.user)
        .with_context(|| format!("listen on `{}`", socket.display()))?;
    // If nobody reads our output carriers are held all the same.
    let _ = writeln!(std::io::stdout(), "carriers on unix:{}", socket.display());
    door.serve(&command, || interrupt.is_set())
        .with_context(|| format!("serve `{}`", socket.display()))?;
    Ok(ExitCode::SUCCESS)
}
