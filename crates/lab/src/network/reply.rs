//! Packets that a link makes itself, in answer to ones that do not pass.

/// Header of IPv4 without options.
pub(super) const IPV4_HEADER_BYTES: usize = 20;
/// Header of IPv6 without extensions.
pub(super) const IPV6_HEADER_BYTES: usize = 40;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
/// Largest packet that is made.
const PACKET_BYTES_MAX: usize = 640;

/// An IP packet taken apart. Fragments and extension headers are not looked into: links of the lab
/// have neither.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram<'a> {
    pub(super) source: &'a [u8],
    pub(super) destination: &'a [u8],
    pub(super) protocol: u8,
    pub(super) payload: &'a [u8],
}

/// An IP packet that is being made.
#[derive(Clone, Debug)]
pub(super) struct MadePacket {
    bytes: [u8; PACKET_BYTES_MAX],
    header: usize,
    length: usize,
}

impl<'a> Datagram<'a> {
    /// `None`: it is no packet of IP.
    pub(super) fn parse(packet: &'a [u8]) -> Option<Self> {
        let (header, addresses, protocol) = match packet.first()? >> 4 {
            4 => (usize::from(packet[0] & 0x0f) * 4, packet.get(12..20)?, *packet.get(9)?),
            6 => (IPV6_HEADER_BYTES, packet.get(8..40)?, *packet.get(6)?),
            _ => return None,
        };
        let (source, destination) = addresses.split_at(addresses.len() / 2);
        Some(Self { source, destination, protocol, payload: packet.get(header..)? })
    }
}

impl MadePacket {
    /// One with its header and an empty payload of this length; `None` when it would be too long.
    pub(super) fn new(
        source: &[u8],
        destination: &[u8],
        protocol: u8,
        payload: usize,
    ) -> Option<Self> {
        let header = if source.len() == 4 { IPV4_HEADER_BYTES } else { IPV6_HEADER_BYTES };
        let length = header + payload;
        let mut bytes = [0; PACKET_BYTES_MAX];
        if length > PACKET_BYTES_MAX {
            return None;
        }
        if header == IPV4_HEADER_BYTES {
            bytes[0] = 0x45;
            bytes[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            bytes[8] = 64;
            bytes[9] = protocol;
            bytes[12..16].copy_from_slice(source);
            bytes[16..20].copy_from_slice(destination);
            let checksum = fold(sum(&bytes[..header]));
            bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
        } else {
            bytes[0] = 0x60;
            bytes[4..6].copy_from_slice(&(payload as u16).to_be_bytes());
            bytes[6] = protocol;
            bytes[7] = 64;
            bytes[8..24].copy_from_slice(source);
            bytes[24..40].copy_from_slice(destination);
        }
        Some(Self { bytes, header, length })
    }

    pub(super) fn payload(&mut self) -> &mut [u8] {
        &mut self.bytes[self.header..self.length]
    }

    /// Writes the checksum of the payload and its pseudo header (RFC 9293, section 3.1; RFC 768) at
    /// `place` of the payload, where zeros are.
    pub(super) fn seal(mut self, place: usize) -> Self {
        let (protocol, addresses) = if self.header == IPV4_HEADER_BYTES {
            (self.bytes[9], 12..20)
        } else {
            (self.bytes[6], 8..40)
        };
        let payload = &self.bytes[self.header..self.length];
        let pseudo = sum(&self.bytes[addresses]) + u32::from(protocol) + payload.len() as u32;
        let mut checksum = fold(pseudo + sum(payload));
        if checksum == 0 {
            // For UDP zero means that there is none; both are zero in ones' complement.
            checksum = 0xffff;
        }
        if let Some(field) = self.payload().get_mut(place..place + 2) {
            field.copy_from_slice(&checksum.to_be_bytes());
        }
        self
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Sum of the 16-bit words, an odd byte at the end counted as a high one (RFC 1071).
pub(super) fn sum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(2);
    words.map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |&low| u32::from(low))).sum()
}

/// Ones' complement of a sum (RFC 1071).
pub(super) fn fold(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Whether the checksums of a packet of IPv4 are right.
#[cfg(test)]
pub(super) fn is_sound(packet: &[u8]) -> bool {
    // A sum over what contains its own checksum is 0.
    let header = fold(sum(&packet[..IPV4_HEADER_BYTES])) == 0;
    let payload = &packet[IPV4_HEADER_BYTES..];
    let pseudo = sum(&packet[12..20]) + u32::from(packet[9]) + payload.len() as u32;
    header && fold(pseudo + sum(payload)) == 0
}
