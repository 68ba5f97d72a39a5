//! A link between two network namespaces, with a packet box in it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bulkhead_chaos::{Effect, NetworkFault, NetworkFaultError, StageKey, TIME_TO_LIVE_MAX};
use mio::Waker;
use rustix::fs::{Mode, OFlags};

use super::device::Device;
use super::mover::{COMMANDS_MAX, Command, CommandError, LinkReport, Mover};
use super::probe::Prober;
use super::veth::{LinkKind, PacketSockets};
use super::{Namespace, NetworkError, interface};

/// Largest packet on a link, in bytes: that of Ethernet.
pub const LINK_MTU: u32 = 1_500;
/// Packets that may wait in a device until the box takes them; more are counted in
/// [`Link::device_drops`].
pub(super) const DEVICE_QUEUE_PACKETS: u32 = 10_000;
/// The step that fails where the kernel does not have an algorithm.
pub(super) const SETTING_CONGESTION_CONTROL: &str = "set the congestion control";
const PREFIX_V4: u8 = 24;
const PREFIX_V6: u8 = 64;
/// What the two lanes' seeds differ by.
pub(super) const SECOND_LANE: u64 = 0x9e37_79b9_7f4a_7c15;

/// How a link is made.
#[derive(Clone, Debug, Default)]
pub struct LinkOptions {
    /// Its subnets are `10.83.N.0/24` and `fd00:83:0:N::/64`. Links that share a namespace need
    /// different ones.
    pub subnet: u8,
    /// Congestion control of TCP for all connections over it, at both ends: `cubic`, `bbr`, `reno`.
    /// `None`: that of the namespaces.
    pub congestion_control: Option<String>,
    /// What its ends are.
    pub kind: LinkKind,
}

/// One end of a link.
#[derive(Clone, Debug)]
pub struct End {
    /// Where it is.
    pub namespace: Arc<Namespace>,
    /// Its interface.
    pub interface: String,
    /// Its address.
    pub v4: Ipv4Addr,
    /// Its other address; not there when the kernel has no IPv6.
    pub v6: Ipv6Addr,
}

/// Two namespaces joined by a packet box. Dropping it takes the devices away.
#[derive(Debug)]
pub struct Link {
    name: String,
    ends: [End; 2],
    commands: SyncSender<Command>,
    waker: Waker,
    prober: Prober,
    congestion_control: String,
    /// Of a pair of veth.
    sockets: Option<PacketSockets>,
    mover: Option<JoinHandle<io::Result<()>>>,
}

/// Why a fault was not imposed on a link.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Its declaration.
    #[error(transparent)]
    Fault(#[from] NetworkFaultError),
    /// No fault lasts longer without being renewed.
    #[error("a fault of a link ends after at most {} s; renew it meanwhile", TIME_TO_LIVE_MAX.as_secs())]
    TooLong,
    /// The box.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Link {
    /// Joins `client` and `server`. The name is that of its interfaces too: at most 15 bytes.
    ///
    /// # Errors
    /// Missing privilege (`CAP_NET_ADMIN` in both namespaces), no `/dev/net/tun`, a name that is taken
    /// or too long.
    pub fn between(
        name: &str,
        client: &Arc<Namespace>,
        server: &Arc<Namespace>,
        options: &LinkOptions,
    ) -> Result<Self, NetworkError> {
        let ends = [(client, 1), (server, 2)].map(|(namespace, host)| End {
            namespace: Arc::clone(namespace),
            interface: name.to_owned(),
            v4: Ipv4Addr::new(10, 83, options.subnet, host),
            v6: Ipv6Addr::new(0xfd00, 0x83, 0, options.subnet.into(), 0, 0, 0, host.into()),
        });
        let algorithm = options.congestion_control.as_deref();
        let sockets = match options.kind {
            LinkKind::Tun => None,
            LinkKind::Veth => Some(PacketSockets::join(name, &ends)?),
        };
        let devices = match &sockets {
            None => [ends[0].make_device()?, ends[1].make_device()?],
            Some(sockets) => sockets.devices()?,
        };
        for end in &ends {
            end.namespace.enter(|| end.configure(algorithm))??;
        }
        let congestion_control = match algorithm {
            Some(algorithm) => algorithm.to_owned(),
            None => server.congestion_control()?,
        };
        let prober = Prober::new(&ends)?;
        let (commands, receiver) = sync_channel(COMMANDS_MAX);
        let (mover, waker) =
            Mover::new(devices, receiver).map_err(NetworkError::at("make the packet box"))?;
        let mover = std::thread::Builder::new()
            .name(format!("box {name}"))
            .spawn(move || mover.run())
            .map_err(NetworkError::at("start the packet box"))?;
        let (name, mover) = (name.to_owned(), Some(mover));
        Ok(Self { name, ends, commands, waker, prober, congestion_control, sockets, mover })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The end of the clients.
    pub const fn client(&self) -> &End {
        &self.ends[0]
    }

    /// The end of the servers.
    pub const fn server(&self) -> &End {
        &self.ends[1]
    }

    /// The congestion control that TCP has on it: say it wherever a result is told, since they differ
    /// widely under loss.
    pub fn congestion_control(&self) -> &str {
        &self.congestion_control
    }

    /// What its ends are.
    pub const fn kind(&self) -> LinkKind {
        if self.sockets.is_some() { LinkKind::Veth } else { LinkKind::Tun }
    }

    pub(super) const fn prober(&self) -> &Prober {
        &self.prober
    }

    /// Imposes a fault until `expires`, at most [`TIME_TO_LIVE_MAX`] from now, when the box itself takes
    /// it away. What was imposed under the same key before stays as it is. Returns what was converted,
    /// and what may surprise.
    ///
    /// # Errors
    /// The declaration or its time is refused; the box is busy, late or gone. After [`CommandError::Late`] the
    /// fault may be in force.
    pub fn impose(
        &self,
        key: StageKey,
        fault: &NetworkFault,
        seed: u64,
        expires: Instant,
        deadline: Instant,
    ) -> Result<Vec<String>, LinkError> {
        let checked = fault.check()?;
        within_time_to_live(expires)?;
        let impairments = [checked.upstream, checked.downstream];
        let seeds = [seed, seed ^ SECOND_LANE];
        let (reply, answer) = sync_channel(1);
        self.send(Command::Impose { key, impairments, seeds, expires, reply })?;
        receive(&answer, deadline)??;
        Ok(checked.notes)
    }

    /// Lets a fault that is in force last until `expires`, at most [`TIME_TO_LIVE_MAX`] from now. Its
    /// random sequence and its counts go on.
    ///
    /// # Errors
    /// It is not in force any more, and is not brought back; the time is refused; the box is busy, late
    /// or gone. After [`CommandError::Late`] it may have been renewed.
    pub fn renew(
        &self,
        key: StageKey,
        expires: Instant,
        deadline: Instant,
    ) -> Result<(), LinkError> {
        within_time_to_live(expires)?;
        let (reply, answer) = sync_channel(1);
        self.send(Command::Renew { key, expires, reply })?;
        Ok(receive(&answer, deadline)??)
    }

    /// Takes a fault away. None of that name is a success.
    ///
    /// # Errors
    /// The box is busy or late; a box that has gone has no faults.
    pub fn lift(&self, key: StageKey, deadline: Instant) -> Result<(), CommandError> {
        let (reply, answer) = sync_channel(1);
        match self.send(Command::Lift { key, reply }).and_then(|()| receive(&answer, deadline)?) {
            Err(CommandError::Gone) => Ok(()),
            other => other,
        }
    }

    /// What it did since it began, and which faults are in force.
    ///
    /// # Errors
    /// The box is busy, late or gone.
    pub fn report(&self, deadline: Instant) -> Result<LinkReport, CommandError> {
        let (reply, answer) = sync_channel(1);
        self.send(Command::Report { reply })?;
        receive(&answer, deadline)
    }

    /// What a fault has done to packets of others than the lab, in force or ended. `None`: nobody knows.
    ///
    /// # Errors
    /// The box is busy, late or gone.
    pub fn effect(&self, key: StageKey, deadline: Instant) -> Result<Option<Effect>, CommandError> {
        let (reply, answer) = sync_channel(1);
        self.send(Command::Effect { key, reply })?;
        receive(&answer, deadline)
    }

    /// Packets that were dropped at the client's and at the server's end because the box was too slow
    /// to take them. More than none spoils an experiment.
    ///
    /// # Errors
    /// The namespaces cannot be entered.
    pub fn device_drops(&self) -> Result<[u64; 2], NetworkError> {
        if let Some(sockets) = &self.sockets {
            return sockets.drops();
        }
        Ok([self.ends[0].drops()?, self.ends[1].drops()?])
    }

    fn send(&self, command: Command) -> Result<(), CommandError> {
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => CommandError::Busy,
            TrySendError::Disconnected(_) => CommandError::Gone,
        })?;
        self.waker.wake().map_err(|_| CommandError::Gone)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // With a full channel the box is about to look into it: wait for room, or for its end.
        let told = self.commands.send(Command::Stop).is_ok() && self.waker.wake().is_ok();
        if told && let Some(mover) = self.mover.take() {
            // It has no result that anybody waits for, and a panic was told by its own thread.
            let _ = mover.join();
        }
    }
}

impl End {
    /// Opens a TUN device in the namespace.
    fn make_device(&self) -> Result<Device, NetworkError> {
        self.namespace.enter(|| {
            let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let device = rustix::fs::open("/dev/net/tun", flags, Mode::empty())
                .map_err(NetworkError::errno("open /dev/net/tun"))?;
            bulkhead_transport::attach_tun(&device, &self.interface)
                .map_err(NetworkError::at(format!("make the TUN device `{}`", self.interface)))?;
            Ok(Device::Tun(device.into()))
        })?
    }

    /// Brings it up, with addresses. In its namespace.
    fn configure(&self, congestion_control: Option<&str>) -> Result<(), NetworkError> {
        let name = &self.interface;
        interface::up_silent(name, LINK_MTU, DEVICE_QUEUE_PACKETS)
            .map_err(NetworkError::at(format!("bring `{name}` up")))?;
        let v4 = (IpAddr::V4(self.v4), PREFIX_V4);
        let v6 = (IpAddr::V6(self.v6), PREFIX_V6);
        interface::add_address(name, v4.0, v4.1)
            .map_err(NetworkError::at(format!("give `{name}` the address {}", v4.0)))?;
        let has_v6 = interface::add_address(name, v6.0, v6.1).is_ok();
        if has_v6 {
            interface::await_address(v6.0)
                .map_err(NetworkError::at(format!("wait for the address {}", v6.0)))?;
        }
        let Some(algorithm) = congestion_control else { return Ok(()) };
        for (address, prefix) in [v4].into_iter().chain(has_v6.then_some(v6)) {
            interface::set_congestion_control(name, address, prefix, algorithm).map_err(
                NetworkError::at(format!("{SETTING_CONGESTION_CONTROL} `{algorithm}` on `{name}`")),
            )?;
        }
        Ok(())
    }

    fn drops(&self) -> Result<u64, NetworkError> {
        self.namespace
            .enter(|| interface::transmit_drops(&self.interface))?
            .map_err(NetworkError::at("read the drops of an interface"))
    }
}

fn within_time_to_live(expires: Instant) -> Result<(), LinkError> {
    let left = expires.saturating_duration_since(Instant::now());
    if left > TIME_TO_LIVE_MAX { Err(LinkError::TooLong) } else { Ok(()) }
}

fn receive<T>(answer: &Receiver<T>, deadline: Instant) -> Result<T, CommandError> {
    let wait: Duration = deadline.saturating_duration_since(Instant::now());
    answer.recv_timeout(wait).map_err(|error| match error {
        RecvTimeoutError::Timeout => CommandError::Late,
        RecvTimeoutError::Disconnected => CommandError::Gone,
    })
}
