//! Resets of TCP connections, made from one of their packets (RFC 9293, section 3.5.2).

use std::ops::Range;

const IPV4_HEADER_BYTES: usize = 20;
const IPV6_HEADER_BYTES: usize = 40;
const TCP_HEADER_BYTES: usize = 20;
/// Largest packet that resets.
pub(super) const RESET_BYTES_MAX: usize = IPV6_HEADER_BYTES + TCP_HEADER_BYTES;

const TCP: u8 = 6;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// A packet with data of TCP, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    /// Source and destination address, as they stand one after the other.
    addresses: &'a [u8],
    tcp: &'a [u8],
    sequence: u32,
    acknowledged: u32,
}

/// The two packets that end a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reset {
    bytes: [u8; RESET_BYTES_MAX],
    length: usize,
}

impl<'a> Segment<'a> {
    /// `None`: it is no TCP, has no data, or is no packet at all. Fragments and IPv6 extension headers
    /// are not looked into: links of the lab have neither.
    pub(super) fn parse(packet: &'a [u8]) -> Option<Self> {
        let (addresses, header, protocol): (Range<usize>, usize, u8) = match packet.first()? >> 4 {
            4 => (12..20, usize::from(packet[0] & 0x0f) * 4, *packet.get(9)?),
            6 => (8..40, IPV6_HEADER_BYTES, *packet.get(6)?),
            _ => return None,
        };
        let addresses = packet.get(addresses)?;
        let tcp = packet.get(header..)?;
        let data = usize::from(*tcp.get(12)? >> 4) * 4;
        if protocol != TCP || data < TCP_HEADER_BYTES || tcp.len() <= data {
            return None;
        }
        Some(Self {
            addresses,
            tcp,
            sequence: number(tcp.get(4..8)?)?,
            acknowledged: number(tcp.get(8..12)?)?,
        })
    }

    /// For the receiver, as if the sender had sent it.
    pub(super) fn reset_receiver(&self) -> Reset {
        let half = self.addresses.len() / 2;
        let (source, destination) = self.addresses.split_at(half);
        Reset::new(
            source,
            destination,
            &self.tcp[..2],
            &self.tcp[2..4],
            self.sequence,
            self.acknowledged,
        )
    }

    /// For the sender, as if the receiver had sent it. Its number is the one that the sender waits for,
    /// so that it is taken at once (RFC 5961, section 3.2).
    pub(super) fn reset_sender(&self) -> Reset {
        let half = self.addresses.len() / 2;
        let (source, destination) = self.addresses.split_at(half);
        Reset::new(
            destination,
            source,
            &self.tcp[2..4],
            &self.tcp[..2],
            self.acknowledged,
            self.sequence,
        )
    }
}

impl Reset {
    fn new(
        source: &[u8],
        destination: &[u8],
        source_port: &[u8],
        destination_port: &[u8],
        sequence: u32,
        acknowledged: u32,
    ) -> Self {
        let mut bytes = [0; RESET_BYTES_MAX];
        let header = if source.len() == 4 { IPV4_HEADER_BYTES } else { IPV6_HEADER_BYTES };
        let length = header + TCP_HEADER_BYTES;
        if header == IPV4_HEADER_BYTES {
            bytes[0] = 0x45;
            bytes[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            bytes[8] = 64;
            bytes[9] = TCP;
            bytes[12..16].copy_from_slice(source);
            bytes[16..20].copy_from_slice(destination);
            let sum = fold(sum(&bytes[..header]));
            bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        } else {
            bytes[0] = 0x60;
            bytes[4..6].copy_from_slice(&(TCP_HEADER_BYTES as u16).to_be_bytes());
            bytes[6] = TCP;
            bytes[7] = 64;
            bytes[8..24].copy_from_slice(source);
            bytes[24..40].copy_from_slice(destination);
        }
        let tcp = &mut bytes[header..length];
        tcp[..2].copy_from_slice(source_port);
        tcp[2..4].copy_from_slice(destination_port);
        tcp[4..8].copy_from_slice(&sequence.to_be_bytes());
        tcp[8..12].copy_from_slice(&acknowledged.to_be_bytes());
        tcp[12] = (TCP_HEADER_BYTES as u8 / 4) << 4;
        tcp[13] = RST | ACK;
        // The pseudo header: addresses, length and protocol (RFC 9293, section 3.1).
        let pseudo = sum(source) + sum(destination) + u32::from(TCP) + TCP_HEADER_BYTES as u32;
        let checksum = fold(pseudo + sum(tcp));
        tcp[16..18].copy_from_slice(&checksum.to_be_bytes());
        Self { bytes, length }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_be_bytes)
}

/// Sum of the 16-bit words (RFC 1071); the length is even here.
fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum()
}

fn fold(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::{Segment, TCP, fold, sum};

    fn segment(data: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, TCP, 0, 0, 10, 83, 0, 1, 10, 83, 0, 2];
        packet.extend([0x30, 0x39, 0, 80, 0, 0, 0, 7, 0, 0, 0, 9, 0x50, 0x18, 1, 0, 0, 0, 0, 0]);
        packet.extend(data);
        packet
    }

    #[test]
    fn only_data_of_tcp_is_taken_apart() {
        assert!(Segment::parse(&segment(b"x")).is_some());
        assert!(Segment::parse(&segment(b"")).is_none());
        let mut other = segment(b"x");
        other[9] = 17;
        assert!(Segment::parse(&other).is_none());
        // No prefix of a packet and no rubbish makes it panic.
        let packet = segment(b"xyz");
        for length in 0..packet.len() {
            let _ = Segment::parse(&packet[..length]);
        }
        for first in 0..=255 {
            let _ = Segment::parse(&[first; 41]);
        }
    }

    #[test]
    fn resets_have_the_numbers_that_each_end_waits_for_and_true_checksums() {
        let packet = segment(b"hello");
        let segment = Segment::parse(&packet).unwrap();
        let (receiver, sender) = (segment.reset_receiver(), segment.reset_sender());
        let (receiver, sender) = (receiver.bytes(), sender.bytes());
        assert_eq!(receiver[12..20], packet[12..20]);
        assert_eq!(sender[12..20], [10, 83, 0, 2, 10, 83, 0, 1]);
        assert_eq!(receiver[20..24], packet[20..24]);
        assert_eq!(sender[20..24], [0, 80, 0x30, 0x39]);
        assert_eq!((receiver[27], receiver[31]), (7, 9));
        assert_eq!((sender[27], sender[31]), (9, 7));
        for reset in [receiver, sender] {
            assert_eq!(reset[33], 0x14);
            // A sum over what contains its own checksum is 0.
            assert_eq!(fold(sum(&reset[..20])), 0);
            let pseudo = sum(&reset[12..20]) + 6 + 20;
            assert_eq!(fold(pseudo + sum(&reset[20..])), 0);
        }
    }
}
