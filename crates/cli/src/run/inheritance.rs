//! What this process was started with: nothing, sockets from systemd, or all that the process
//! before it, or its supervisor, has.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bulkhead_gateway::HandedSocket;
use bulkhead_transport::{ActivationEnvironment, Listener, Ticketer, activation_sockets};
use rustix::process::Signal;

use super::channel::{Channel, Offer, Owner, PassedSocket};
use super::successor::{HANDOVER, SUPERVISE, UPGRADE};

/// Who started this process, as far as it matters.
#[derive(Debug)]
pub(super) enum Origin {
    /// Anybody.
    Anybody,
    /// A process that ends when this one is ready.
    Predecessor(Channel),
    /// A supervisor.
    Supervisor(Arc<Channel>),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Inheritance {
    pub(super) origin: Origin,
    pub(super) offer: Offer,
}

/// What the gateway and the control plane are started with.
#[derive(Debug, Default)]
pub(super) struct Estate {
    pub(super) sockets: Vec<HandedSocket>,
    pub(super) ticketer: Option<Ticketer>,
    /// The admin server's, each with its configured address.
    pub(super) admin: Vec<(String, std::net::TcpListener)>,
}

impl Inheritance {
    /// Takes it, once.
    pub(super) fn take() -> Result<Self> {
        let Ok(role) = std::env::var(HANDOVER) else {
            let sockets = from_systemd().context("take the sockets that systemd has opened")?;
            return Ok(Self { origin: Origin::Anybody, offer: Offer { sockets, tickets: None } });
        };
        let channel = take_channel().context("take over from the process before this one")?;
        if role == SUPERVISE {
            // Without its supervisor nobody would start it again, or stop it.
            rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
        }
        let offer = Offer::receive(&channel).context("take over the listening sockets")?;
        channel.wait_for(None)?;
        let origin = match role.as_str() {
            UPGRADE => Origin::Predecessor(channel),
            SUPERVISE => Origin::Supervisor(Arc::new(channel)),
            _ => bail!("`{HANDOVER}` is for Bulkhead itself: unset it"),
        };
        Ok(Self { origin, offer })
    }
}

impl Estate {
    pub(super) fn of(offer: Offer) -> Result<Self> {
        let ticketer = offer.tickets.as_deref().and_then(Ticketer::from_bytes);
        let mut estate = Self { ticketer, ..Self::default() };
        for PassedSocket { owner, name, address, descriptor } in offer.sockets {
            match owner {
                Owner::Admin => estate.admin.push((address, descriptor.into())),
                Owner::Listener => {
                    let socket = Listener::adopt(descriptor)
                        .with_context(|| format!("listen on the socket `{name}`"))?;
                    estate.sockets.push(HandedSocket { name, address, socket: Arc::new(socket) });
                }
            }
        }
        Ok(estate)
    }

    /// The admin server's socket for a configured address.
    pub(super) fn take_admin(&mut self, address: &str) -> Option<std::net::TcpListener> {
        let at = self.admin.iter().position(|(configured, _)| configured == address)?;
        Some(self.admin.swap_remove(at).1)
    }
}

/// The socket at standard input, which is empty from now on.
fn take_channel() -> Result<Channel> {
    let channel = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let kind = rustix::net::sockopt::socket_type(&channel).ok();
    if kind != Some(rustix::net::SocketType::SEQPACKET) {
        bail!("standard input is no hand-over socket: unset `{HANDOVER}`");
    }
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    Ok(Channel::from_end(channel)?)
}

fn from_systemd() -> io::Result<Vec<PassedSocket>> {
    let variable = |name| std::env::var(name).ok();
    let (pid, count, names) =
        (variable("LISTEN_PID"), variable("LISTEN_FDS"), variable("LISTEN_FDNAMES"));
    let environment = ActivationEnvironment {
        pid: pid.as_deref(),
        count: count.as_deref(),
        names: names.as_deref(),
    };
    let sockets = activation_sockets(environment, std::process::id())?;
    Ok(sockets.into_iter().map(activated).collect())
}

/// A socket from systemd: its name may be that of a listener, or its address is one's.
fn activated((name, descriptor): (String, OwnedFd)) -> PassedSocket {
    PassedSocket { owner: Owner::Listener, name, address: String::new(), descriptor }
}
