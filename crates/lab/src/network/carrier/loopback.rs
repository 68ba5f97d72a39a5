//! Probes over a loopback interface: the one where packets that come in can be made without a peer.
//!
//! They are packets of the very addresses and ports that are struck, but with a wrong checksum: ingress
//! sees them, and so does a raw socket of ours, but TCP and UDP throw them away unseen.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

use bulkhead_chaos::{PacketMatch, Transport};
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto};

use crate::network::reply::{fold, sum};

/// Probes that are sent before arrivals are taken.
const CHUNK: u64 = 32;
/// Port where none is said: that of the service that throws everything away.
const DISCARD: u16 = 9;
/// Header of an IPv4 packet with options, of TCP, and more than a probe has behind them.
const PACKET_BYTES_MAX: usize = 128;
const UDP_BYTES: usize = 8;
const TCP_BYTES: usize = 20;
/// Offset of the data in words of 4 bytes, in the upper half of a byte.
const TCP_OFFSET: u8 = 0x50;

/// Probes between two raw sockets.
pub(super) struct Probes {
    from: OwnedFd,
    to: OwnedFd,
    destination: SocketAddr,
    /// Header of TCP or UDP, and a mark of its own.
    packet: Vec<u8>,
    mark: [u8; 16],
    sent: u64,
    received: u64,
}

impl Probes {
    /// In the namespace of the calling thread.
    ///
    /// # Errors
    /// `EPERM` without `CAP_NET_RAW`; `EADDRNOTAVAIL`: an address is not there.
    pub(super) fn of(packets: &PacketMatch) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let home = match packets.is_ipv4() {
            Some(false) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        let source = packets.source.unwrap_or(home);
        let destination = packets.destination.unwrap_or(home);
        let protocol = packets.protocol.unwrap_or(Transport::Udp);
        let mut mark = *b"bulkhead________";
        mark[8..].copy_from_slice(&(COUNT.fetch_add(1, Ordering::Relaxed) << 32).to_be_bytes());
        mark[12..].copy_from_slice(&std::process::id().to_be_bytes());
        Ok(Self {
            from: open(source, protocol)?,
            to: open(destination, protocol)?,
            destination: SocketAddr::new(destination, 0),
            packet: segment(packets, protocol, (source, destination), &mark),
            mark,
            sent: 0,
            received: 0,
        })
    }

    pub(super) fn send(&mut self, count: u64) -> io::Result<()> {
        for _ in 0..count {
            rustix::net::sendto(&self.from, &self.packet, SendFlags::empty(), &self.destination)?;
            self.sent += 1;
            if self.sent.is_multiple_of(CHUNK) {
                self.take()?;
            }
        }
        Ok(())
    }

    /// Takes what has arrived, without waiting.
    fn take(&mut self) -> io::Result<()> {
        let mut packet = [0; PACKET_BYTES_MAX];
        loop {
            match rustix::net::recv(&self.to, packet.as_mut_slice(), RecvFlags::DONTWAIT) {
                Ok((_, length)) => {
                    let ours = packet[..length.min(PACKET_BYTES_MAX)].ends_with(&self.mark);
                    self.received += u64::from(ours);
                }
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// How many were sent, and how many of them have not arrived.
    pub(super) fn lost(&mut self) -> io::Result<(u64, u64)> {
        self.take()?;
        Ok((self.sent, self.sent.saturating_sub(self.received)))
    }
}

fn open(address: IpAddr, protocol: Transport) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let protocol = match protocol {
        Transport::Tcp => ipproto::TCP,
        Transport::Udp => ipproto::UDP,
    };
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::RAW, flags, Some(protocol))?;
    rustix::net::bind(&socket, &SocketAddr::new(address, 0))?;
    Ok(socket)
}

/// What stands behind the header of IP.
fn segment(
    packets: &PacketMatch,
    protocol: Transport,
    (source, destination): (IpAddr, IpAddr),
    mark: &[u8],
) -> Vec<u8> {
    let (header, field) = match protocol {
        Transport::Tcp => (TCP_BYTES, 16),
        Transport::Udp => (UDP_BYTES, 6),
    };
    let mut bytes = vec![0; header];
    let port = |port: Option<u16>| port.unwrap_or(DISCARD).to_be_bytes();
    bytes[..2].copy_from_slice(&port(packets.source_port));
    bytes[2..4].copy_from_slice(&port(packets.destination_port));
    bytes.extend_from_slice(mark);
    let length = bytes.len() as u16;
    match protocol {
        Transport::Tcp => bytes[12] = TCP_OFFSET,
        Transport::Udp => bytes[4..6].copy_from_slice(&length.to_be_bytes()),
    }
    let pseudo = octets(source) + octets(destination);
    let right = fold(pseudo + u32::from(protocol.number()) + u32::from(length) + sum(&bytes));
    // One bit is wrong; 0 would mean that there is none.
    let wrong = if right == 1 { 2 } else { right ^ 1 };
    bytes[field..field + 2].copy_from_slice(&wrong.to_be_bytes());
    bytes
}

fn octets(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => sum(&address.octets()),
        IpAddr::V6(address) => sum(&address.octets()),
    }
}

#[cfg(test)]
mod tests;
