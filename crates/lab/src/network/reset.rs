//! Packets of TCP: what they hold, and resets and answers that are made from them (RFC 9293).

use bulkhead_chaos::TcpPacket;

use super::reply::{Datagram, MadePacket, TCP};

const HEADER_BYTES: usize = 20;
const CHECKSUM: usize = 16;
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// A packet of TCP, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    datagram: Datagram<'a>,
    sequence: &'a [u8],
    acknowledged: &'a [u8],
    flags: u8,
    data: &'a [u8],
}

impl<'a> Segment<'a> {
    /// `None`: it is no TCP, or has no data and does not begin a connection.
    pub(super) fn parse(datagram: Datagram<'a>) -> Option<Self> {
        let tcp = datagram.payload;
        let header = usize::from(*tcp.get(12)? >> 4) * 4;
        if datagram.protocol != TCP || header < HEADER_BYTES {
            return None;
        }
        let (data, flags) = (tcp.get(header..)?, tcp[13]);
        let (sequence, acknowledged) = (&tcp[4..8], &tcp[8..12]);
        let matters = !data.is_empty() || flags & SYN != 0;
        matters.then_some(Self { datagram, sequence, acknowledged, flags, data })
    }

    pub(super) const fn data(&self) -> &'a [u8] {
        self.data
    }

    pub(super) fn destination_port(&self) -> u16 {
        number(&self.datagram.payload[2..4]) as u16
    }

    /// What faults ask for.
    pub(super) fn describe(&self, is_dns_query: bool) -> TcpPacket {
        let opens = self.flags & SYN != 0;
        TcpPacket {
            flow: self.flow(),
            sequence: number(self.sequence).wrapping_add(u32::from(opens)),
            bytes: self.data.len() as u32,
            opens,
            is_dns_query,
        }
    }

    /// Addresses and ports as a number (FNV-1a): the same for all packets of a direction of a connection.
    fn flow(&self) -> u64 {
        let Datagram { source, destination, payload, .. } = self.datagram;
        let bytes = source.iter().chain(destination).chain(&payload[..4]);
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    /// For the receiver, as if the sender had sent it.
    pub(super) fn reset_receiver(&self) -> Option<MadePacket> {
        let Datagram { source, destination, payload, .. } = self.datagram;
        let ports = [payload[0], payload[1], payload[2], payload[3]];
        reset(source, destination, ports, self.sequence, self.acknowledged)
    }

    /// For the sender, as if the receiver had sent it. Its number is the one that the sender waits for,
    /// so that it is taken at once (RFC 5961, section 3.2).
    pub(super) fn reset_sender(&self) -> Option<MadePacket> {
        let Datagram { source, destination, .. } = self.datagram;
        reset(destination, source, self.ports_back(), self.acknowledged, self.sequence)
    }

    /// For the sender, as if the receiver had answered with so many bytes, which `write` fills, and had
    /// nothing more to say.
    pub(super) fn answer_and_end(
        &self,
        bytes: usize,
        write: impl FnOnce(&mut [u8]),
    ) -> Option<MadePacket> {
        let Datagram { source, destination, .. } = self.datagram;
        let mut packet = MadePacket::new(destination, source, TCP, HEADER_BYTES + bytes)?;
        let tcp = packet.payload();
        let end = number(self.sequence).wrapping_add(self.data.len() as u32);
        tcp[..4].copy_from_slice(&self.ports_back());
        tcp[4..8].copy_from_slice(self.acknowledged);
        tcp[8..12].copy_from_slice(&end.to_be_bytes());
        tcp[12] = (HEADER_BYTES as u8 / 4) << 4;
        tcp[13] = FIN | PSH | ACK;
        tcp[14..16].fill(0xff);
        write(&mut tcp[HEADER_BYTES..]);
        Some(packet.seal(CHECKSUM))
    }

    const fn ports_back(&self) -> [u8; 4] {
        let ports = self.datagram.payload;
        [ports[2], ports[3], ports[0], ports[1]]
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn reset(
    source: &[u8],
    destination: &[u8],
    ports: [u8; 4],
    sequence: &[u8],
    acknowledged: &[u8],
) -> Option<MadePacket> {
    let mut packet = MadePacket::new(source, destination, TCP, HEADER_BYTES)?;
    let tcp = packet.payload();
    tcp[..4].copy_from_slice(&ports);
    tcp[4..8].copy_from_slice(sequence);
    tcp[8..12].copy_from_slice(acknowledged);
    tcp[12] = (HEADER_BYTES as u8 / 4) << 4;
    tcp[13] = RST | ACK;
    Some(packet.seal(CHECKSUM))
}

#[cfg(test)]
mod tests {
    use super::{Datagram, Segment, TCP};
    use crate::network::reply::is_sound;

    fn segment(data: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, TCP, 0, 0, 10, 83, 0, 1, 10, 83, 0, 2];
        packet.extend([0x30, 0x39, 0, 80, 0, 0, 0, 7, 0, 0, 0, 9, 0x50, 0x18, 1, 0, 0, 0, 0, 0]);
        packet.extend(data);
        packet
    }

    fn parse(packet: &[u8]) -> Option<Segment<'_>> {
        Segment::parse(Datagram::parse(packet)?)
    }

    #[test]
    fn only_data_of_tcp_is_taken_apart() {
        assert!(parse(&segment(b"x")).is_some());
        assert!(parse(&segment(b"")).is_none());
        // One that begins a connection is looked at too: its data begin behind it.
        let mut opens = segment(b"");
        opens[33] = 0x02;
        let told = parse(&opens).unwrap().describe(false);
        assert_eq!((told.opens, told.sequence, told.bytes), (true, 8, 0));
        let packet = segment(b"hello");
        let data = parse(&packet).unwrap().describe(true);
        assert_eq!((data.opens, data.sequence, data.bytes), (false, 7, 5));
        assert!(data.is_dns_query && data.flow == told.flow);
        let mut elsewhere = packet.clone();
        elsewhere[21] = 0x3a;
        assert_ne!(parse(&elsewhere).unwrap().describe(false).flow, data.flow);
        let mut other = segment(b"x");
        other[9] = 17;
        assert!(parse(&other).is_none());
        // No prefix of a packet and no rubbish makes it panic.
        let packet = segment(b"xyz");
        for length in 0..packet.len() {
            let _ = parse(&packet[..length]);
        }
        for first in 0..=255 {
            let _ = parse(&[first; 41]);
        }
    }

    #[test]
    fn resets_have_the_numbers_that_each_end_waits_for_and_true_checksums() {
        let packet = segment(b"hello");
        let segment = parse(&packet).unwrap();
        let (receiver, sender) =
            (segment.reset_receiver().unwrap(), segment.reset_sender().unwrap());
        let (receiver, sender) = (receiver.bytes(), sender.bytes());
        assert_eq!(receiver[12..20], packet[12..20]);
        assert_eq!(sender[12..20], [10, 83, 0, 2, 10, 83, 0, 1]);
        assert_eq!(receiver[20..24], packet[20..24]);
        assert_eq!(sender[20..24], [0, 80, 0x30, 0x39]);
        assert_eq!((receiver[27], receiver[31]), (7, 9));
        assert_eq!((sender[27], sender[31]), (9, 7));
        for reset in [receiver, sender] {
            assert_eq!(reset[33], 0x14);
            assert!(is_sound(reset));
        }
    }
}
