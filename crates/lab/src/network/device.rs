//! The end of a link as its packet box has it: IP packets in and out.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// An Ethernet address.
pub(super) type Ethernet = [u8; 6];

/// Where the box takes packets that an end sends, and gives it others.
#[derive(Debug)]
pub(super) enum Device {
    /// The other side of a TUN interface.
    Tun(File),
    /// A socket at the peer of an Ethernet interface.
    Packet(PacketSocket),
}

/// A socket that takes and gives all packets of one interface.
#[derive(Debug)]
pub(super) struct PacketSocket {
    pub(super) socket: OwnedFd,
    /// Number of the interface.
    pub(super) interface: u32,
    /// Who is to take what is sent.
    pub(super) far: Ethernet,
}

impl Device {
    /// Reads a packet, without waiting.
    pub(super) fn read(&self, packet: &mut [u8]) -> rustix::io::Result<usize> {
        rustix::io::read(self, packet)
    }

    /// Sends a packet.
    pub(super) fn write(&self, packet: &[u8]) -> io::Result<()> {
        match self {
            Self::Tun(device) => Ok(rustix::io::write(device, packet).map(|_| ())?),
            Self::Packet(PacketSocket { socket, interface, far }) => {
                bulkhead_transport::send_packet(socket, *interface, *far, packet)
            }
        }
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tun(device) => device.as_fd(),
            Self::Packet(packet) => packet.socket.as_fd(),
        }
    }
}

impl AsRawFd for Device {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
