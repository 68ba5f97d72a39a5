//! Queries of DNS over UDP, and answers that say that it failed (RFC 1035, section 4.1).

use super::reply::{Datagram, MadePacket, UDP};

const UDP_HEADER_BYTES: usize = 8;
const UDP_CHECKSUM: usize = 6;
const HEADER_BYTES: usize = 12;
const PORT: u16 = 53;
/// Longest name, in bytes with its lengths.
const NAME_BYTES_MAX: usize = 255;

const RESPONSE: u8 = 0x80;
const OPCODE: u8 = 0x78;
const RECURSION_DESIRED: u8 = 0x01;
const RECURSION_AVAILABLE: u8 = 0x80;

/// A query with one question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query<'a> {
    datagram: Datagram<'a>,
    /// Header and question, without what follows.
    message: &'a [u8],
}

impl<'a> Query<'a> {
    /// `None`: it is no query of DNS, or one with no or many questions.
    pub(super) fn parse(datagram: Datagram<'a>) -> Option<Self> {
        let udp = datagram.payload;
        if datagram.protocol != UDP || udp.get(2..4)? != PORT.to_be_bytes() {
            return None;
        }
        let message = udp.get(UDP_HEADER_BYTES..)?;
        let header = message.get(..HEADER_BYTES)?;
        if header[2] & (RESPONSE | OPCODE) != 0 || header[4..6] != [0, 1] {
            return None;
        }
        let name = name_bytes(message.get(HEADER_BYTES..)?)?;
        // After the name stand type and class.
        Some(Self { datagram, message: message.get(..HEADER_BYTES + name + 4)? })
    }

    /// The answer that says no more than this response code.
    pub(super) fn answer(&self, code: u8) -> Option<MadePacket> {
        let Datagram { source, destination, payload, .. } = self.datagram;
        let length = UDP_HEADER_BYTES + self.message.len();
        let mut packet = MadePacket::new(destination, source, UDP, length)?;
        let udp = packet.payload();
        udp[..2].copy_from_slice(&payload[2..4]);
        udp[2..4].copy_from_slice(&payload[..2]);
        udp[4..6].copy_from_slice(&(length as u16).to_be_bytes());
        let message = &mut udp[UDP_HEADER_BYTES..];
        message.copy_from_slice(self.message);
        message[2] = RESPONSE | self.message[2] & RECURSION_DESIRED;
        message[3] = RECURSION_AVAILABLE | code & 0x0f;
        // No answers, authorities and additional records.
        message[6..HEADER_BYTES].fill(0);
        Some(packet.seal(UDP_CHECKSUM))
    }
}

/// Length of a name with its final zero; names of a question are not compressed.
fn name_bytes(bytes: &[u8]) -> Option<usize> {
    let mut place = 0;
    loop {
        let label = usize::from(*bytes.get(place)?);
        place += 1 + label;
        if label == 0 {
            return Some(place);
        }
        if label > 63 || place >= NAME_BYTES_MAX {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Datagram, Query};
    use crate::network::reply::is_sound;

    fn query(message: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 83, 0, 1, 10, 83, 0, 2];
        packet.extend([0x30, 0x39, 0, 53, 0, 0, 0, 0]);
        packet.extend(message);
        packet
    }

    const MESSAGE: &[u8] =
        b"\x12\x34\x01\x20\0\x01\0\0\0\0\0\x01\x01a\x04test\0\0\x01\0\x01\0\0\x29";

    fn parse(packet: &[u8]) -> Option<Query<'_>> {
        Query::parse(Datagram::parse(packet)?)
    }

    #[test]
    fn an_answer_repeats_the_question_with_a_code() {
        let packet = query(MESSAGE);
        let answer = parse(&packet).unwrap().answer(3).unwrap();
        let answer = answer.bytes();
        assert!(is_sound(answer));
        assert_eq!(answer[12..20], [10, 83, 0, 2, 10, 83, 0, 1]);
        assert_eq!(answer[20..24], [0, 53, 0x30, 0x39]);
        let expected = b"\x12\x34\x81\x83\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x01\0\x01";
        assert_eq!(&answer[28..], expected);
    }

    #[test]
    fn what_is_no_query_is_left_alone() {
        let change = |place: usize, byte: u8| {
            let mut packet = query(MESSAGE);
            packet[place] = byte;
            parse(&packet).is_some()
        };
        assert!(change(20, 1));
        assert!(!change(9, 6), "TCP");
        assert!(!change(23, 54), "another port");
        assert!(!change(30, 0x81), "a response");
        assert!(!change(33, 2), "two questions");
        assert!(!change(40, 0xc0), "a compressed name");
        // Cut off anywhere before the end of the question it is none, and never panics.
        let packet = query(MESSAGE);
        for length in 0..packet.len() {
            assert_eq!(parse(&packet[..length]).is_some(), length >= packet.len() - 3, "{length}");
        }
    }
}
