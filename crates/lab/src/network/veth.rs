//! Links whose ends are Ethernet interfaces.
//!
//! Each end is one of a pair (veth); the other one is in a network namespace that only the packet box
//! has, where a packet socket takes what comes and gives what is to go. The namespace has no name and no
//! routes: packets pass through the box or not at all. When the process ends the namespace does, and with
//! it the pairs.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::net::sockopt;
use serde::{Deserialize, Serialize};

use super::device::{Device, Ethernet, PacketSocket};
use super::link::{DEVICE_QUEUE_PACKETS, End, LINK_MTU};
use super::{Namespace, NetworkError, interface};

/// Names of the box's interfaces, in a namespace of their own.
const NAMES: [&str; 2] = ["client", "server"];
/// Memory for packets until the box takes them, in bytes: the kernel counts about 2 KiB for each.
const BUFFER_BYTES: usize = 2 * 1_024 * DEVICE_QUEUE_PACKETS as usize;

/// What the ends of a link are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// TUN devices.
    #[default]
    Tun,
    /// Ethernet interfaces (veth), for what needs such. Their packets have no offload either.
    Veth,
}

impl LinkKind {
    /// Whether it is the one that links have where nothing is said.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    pub(super) const fn is_default(&self) -> bool {
        matches!(self, Self::Tun)
    }

    /// What links of this kind have in them, as reports call it.
    pub const fn carrier(self) -> &'static str {
        match self {
            Self::Tun => "packet box (TUN)",
            Self::Veth => "packet box (veth, AF_PACKET)",
        }
    }

    /// As reports call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tun => "TUN",
            Self::Veth => "veth",
        }
    }
}

/// The box's side of a link between Ethernet interfaces.
#[derive(Debug)]
pub(super) struct PacketSockets {
    sockets: [PacketSocket; 2],
    /// What was counted of each so far.
    drops: [AtomicU64; 2],
    /// Holds the box's interfaces.
    namespace: Namespace,
}

impl PacketSockets {
    /// Makes a pair for each end.
    pub(super) fn join(name: &str, ends: &[End; 2]) -> Result<Self, NetworkError> {
        let namespace = Namespace::new()?;
        let sockets =
            [socket(name, &ends[0], 0, &namespace)?, socket(name, &ends[1], 1, &namespace)?];
        Ok(Self { sockets, drops: [AtomicU64::new(0), AtomicU64::new(0)], namespace })
    }

    /// For the box.
    pub(super) fn devices(&self) -> Result<[Device; 2], NetworkError> {
        let device = |number: usize| {
            let PacketSocket { socket, interface, far } = &self.sockets[number];
            let socket = socket.try_clone().map_err(NetworkError::at("hold a packet socket"))?;
            Ok(Device::Packet(PacketSocket { socket, interface: *interface, far: *far }))
        };
        Ok([device(0)?, device(1)?])
    }

    /// Packets that each socket had no room for.
    pub(super) fn drops(&self) -> Result<[u64; 2], NetworkError> {
        let count = |number: usize| {
            let new = bulkhead_transport::packet_socket_drops(&self.sockets[number].socket)
                .map_err(NetworkError::at("read the drops of a packet socket"))?;
            Ok(self.drops[number].fetch_add(new, Ordering::Relaxed) + new)
        };
        Ok([count(0)?, count(1)?])
    }
}

impl Drop for PacketSockets {
    fn drop(&mut self) {
        // Otherwise the kernel does it, some time after the end of their namespace.
        let _ = self.namespace.enter(|| NAMES.map(|name| interface::delete(name).is_ok()));
    }
}

/// Makes the pair of one end, and a socket at its peer.
fn socket(
    name: &str,
    end: &End,
    number: usize,
    namespace: &Namespace,
) -> Result<PacketSocket, NetworkError> {
    // An address that whoever runs a network may give (IEEE 802, 02:…).
    let far: Ethernet = [0x02, b'b', b'u', b'l', b'k', number as u8];
    let peer = NAMES[number];
    end.namespace
        .enter(|| {
            interface::add_pair(name, far, peer, namespace.as_fd())?;
            bulkhead_transport::turn_offload_off(name)
        })?
        .map_err(NetworkError::at(format!("make a pair of veth for `{name}`")))?;
    let opened = namespace.enter(|| {
        interface::up_silent(peer, LINK_MTU, DEVICE_QUEUE_PACKETS)?;
        let interface = interface::index(peer)?;
        let socket: OwnedFd = bulkhead_transport::open_packet_socket(interface)?;
        // As with probes, what is over the host's limit needs a privilege.
        if sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER_BYTES).is_err() {
            sockopt::set_socket_recv_buffer_size(&socket, BUFFER_BYTES)?;
        }
        Ok(PacketSocket { socket, interface, far })
    })?;
    opened.map_err(NetworkError::at("open a packet socket"))
}
