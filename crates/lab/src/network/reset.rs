//! Resets of TCP connections, made from one of their packets (RFC 9293, section 3.5.2).

use super::reply::{Datagram, MadePacket, TCP};

const HEADER_BYTES: usize = 20;
const CHECKSUM: usize = 16;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// A packet with data of TCP, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    datagram: Datagram<'a>,
    sequence: &'a [u8],
    acknowledged: &'a [u8],
}

impl<'a> Segment<'a> {
    /// `None`: it is no TCP or has no data.
    pub(super) fn parse(datagram: Datagram<'a>) -> Option<Self> {
        let tcp = datagram.payload;
        let data = usize::from(*tcp.get(12)? >> 4) * 4;
        if datagram.protocol != TCP || data < HEADER_BYTES || tcp.len() <= data {
            return None;
        }
        Some(Self { datagram, sequence: &tcp[4..8], acknowledged: &tcp[8..12] })
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
        let Datagram { source, destination, payload, .. } = self.datagram;
        let ports = [payload[2], payload[3], payload[0], payload[1]];
        reset(destination, source, ports, self.acknowledged, self.sequence)
    }
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
