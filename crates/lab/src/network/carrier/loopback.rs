//! Probes over a loopback interface: the one where packets that come in can be made without a peer.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use bulkhead_chaos::{PacketMatch, Transport};
use rustix::net::RecvFlags;

/// Bytes of a probe.
const PROBE: [u8; 16] = *b"bulkhead-probe-1";
/// Probes that are sent before arrivals are taken.
const CHUNK: u64 = 32;

/// Sockets between which probes go.
pub(super) struct Probes {
    from: UdpSocket,
    to: UdpSocket,
    sent: u64,
    received: u64,
}

impl Probes {
    /// In the namespace of the calling thread. `None`: no packet of ours would be one of these, or the
    /// addresses are not there.
    pub(super) fn of(packets: &PacketMatch) -> Option<Self> {
        let ported = packets.source_port.is_some() || packets.destination_port.is_some();
        if ported || packets.protocol == Some(Transport::Tcp) {
            return None;
        }
        let home = match packets.is_ipv4() {
            Some(false) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        let open = |address: Option<IpAddr>| UdpSocket::bind((address.unwrap_or(home), 0)).ok();
        let (from, to) = (open(packets.source)?, open(packets.destination)?);
        from.connect(to.local_addr().ok()?).ok()?;
        Some(Self { from, to, sent: 0, received: 0 })
    }

    pub(super) fn send(&mut self, count: u64) -> io::Result<()> {
        for _ in 0..count {
            self.from.send(&PROBE)?;
            self.sent += 1;
            if self.sent.is_multiple_of(CHUNK) {
                self.take()?;
            }
        }
        Ok(())
    }

    /// Takes what has arrived, without waiting.
    fn take(&mut self) -> io::Result<()> {
        loop {
            match rustix::net::recv(&self.to, &mut [0; PROBE.len()][..], RecvFlags::DONTWAIT) {
                Ok(_) => self.received += 1,
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// How many were sent, and how many of them have not arrived.
    pub(super) fn lost(&mut self) -> io::Result<(u64, u64)> {
        self.take()?;
        Ok((self.sent, self.sent - self.received.min(self.sent)))
    }
}
