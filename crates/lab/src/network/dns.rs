//! Queries of DNS over UDP and TCP, and answers that say that it failed (RFC 1035, section 4.1).

use super::reply::{Datagram, MadePacket, UDP};
use super::reset::Segment;

const UDP_HEADER_BYTES: usize = 8;
const UDP_CHECKSUM: usize = 6;
const HEADER_BYTES: usize = 12;
const PORT: u16 = 53;
/// Longest name, in bytes with its lengths.
const NAME_BYTES_MAX: usize = 255;
/// Of a message over TCP (RFC 1035, section 4.2.2).
const LENGTH_BYTES: usize = 2;

const RESPONSE: u8 = 0x80;
const OPCODE: u8 = 0x78;
const RECURSION_DESIRED: u8 = 0x01;
const RECURSION_AVAILABLE: u8 = 0x80;

/// Type of the record by which EDNS is spoken (RFC 6891, section 6.1).
const OPT: u16 = 41;
/// Of an answer: root name, type, largest message over UDP, code and version, flags, no data.
const OPT_BYTES: usize = 11;
/// Largest message that an answer asks for (what DNS flag day 2020 settled on).
const UDP_BYTES: u16 = 1_232;
/// `DO` (RFC 3225, section 3), in the first byte of the flags.
const DNSSEC_OK: u8 = 0x80;
/// Type, class, time to live and length of data, after the name of a record.
const RECORD_BYTES: usize = 10;

/// A message with one question.
#[derive(Clone, Copy, Debug)]
struct Question<'a> {
    /// Header and question, without what follows.
    message: &'a [u8],
    /// Whoever asks speaks EDNS, and this is its first byte of flags: it must be answered so
    /// (RFC 6891, section 6.1.1).
    edns: Option<u8>,
}

/// A query over UDP.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query<'a> {
    datagram: Datagram<'a>,
    question: Question<'a>,
}

/// A query that is all that a segment of TCP holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamQuery<'a> {
    segment: Segment<'a>,
    question: Question<'a>,
}

impl<'a> Question<'a> {
    /// `None`: it is no query of DNS, or one with no or many questions.
    fn parse(message: &'a [u8]) -> Option<Self> {
        let header = message.get(..HEADER_BYTES)?;
        if header[2] & (RESPONSE | OPCODE) != 0 || header[4..6] != [0, 1] {
            return None;
        }
        let name = name_bytes(message.get(HEADER_BYTES..)?)?;
        // After the name stand type and class.
        let (question, more) = message.split_at_checked(HEADER_BYTES + name + 4)?;
        let records: usize =
            header[6..HEADER_BYTES].chunks(2).map(|pair| usize::from(word(pair))).sum();
        Some(Self { message: question, edns: edns(more, records) })
    }

    const fn answer_bytes(&self) -> usize {
        self.message.len() + if self.edns.is_some() { OPT_BYTES } else { 0 }
    }

    /// Writes the answer that says no more than this response code.
    fn write_answer(&self, code: u8, out: &mut [u8]) {
        let (message, record) = out.split_at_mut(self.message.len());
        message.copy_from_slice(self.message);
        message[2] = RESPONSE | self.message[2] & RECURSION_DESIRED;
        message[3] = RECURSION_AVAILABLE | code & 0x0f;
        // No answers, authorities and additional records.
        message[6..HEADER_BYTES].fill(0);
        if let Some(flags) = self.edns {
            message[HEADER_BYTES - 1] = 1;
            record.fill(0);
            record[1..3].copy_from_slice(&OPT.to_be_bytes());
            record[3..5].copy_from_slice(&UDP_BYTES.to_be_bytes());
            record[7] = flags & DNSSEC_OK;
        }
    }
}

impl<'a> Query<'a> {
    /// `None`: see [`Question::parse`].
    pub(super) fn parse(datagram: Datagram<'a>) -> Option<Self> {
        let udp = datagram.payload;
        if datagram.protocol != UDP || udp.get(2..4)? != PORT.to_be_bytes() {
            return None;
        }
        let question = Question::parse(udp.get(UDP_HEADER_BYTES..)?)?;
        Some(Self { datagram, question })
    }

    /// The answer that says no more than this response code.
    pub(super) fn answer(&self, code: u8) -> Option<MadePacket> {
        let Datagram { source, destination, payload, .. } = self.datagram;
        let length = UDP_HEADER_BYTES + self.question.answer_bytes();
        let mut packet = MadePacket::new(destination, source, UDP, length)?;
        let udp = packet.payload();
        udp[..2].copy_from_slice(&payload[2..4]);
        udp[2..4].copy_from_slice(&payload[..2]);
        udp[4..6].copy_from_slice(&(length as u16).to_be_bytes());
        self.question.write_answer(code, &mut udp[UDP_HEADER_BYTES..]);
        Some(packet.seal(UDP_CHECKSUM))
    }
}

impl<'a> StreamQuery<'a> {
    /// `None`: see [`Question::parse`]; or the segment holds less or more than one message.
    pub(super) fn parse(segment: Segment<'a>) -> Option<Self> {
        let data = segment.data();
        if segment.destination_port() != PORT || data.len() < LENGTH_BYTES {
            return None;
        }
        let (length, message) = data.split_at(LENGTH_BYTES);
        if usize::from(word(length)) != message.len() {
            return None;
        }
        Some(Self { segment, question: Question::parse(message)? })
    }

    /// The answer, and the end of the server's half of the connection. The server knows nothing of it, so it
    /// must be [reset](Segment::reset_receiver).
    pub(super) fn answer(&self, code: u8) -> Option<MadePacket> {
        let length = self.question.answer_bytes();
        self.segment.answer_and_end(LENGTH_BYTES + length, |data| {
            data[..LENGTH_BYTES].copy_from_slice(&(length as u16).to_be_bytes());
            self.question.write_answer(code, &mut data[LENGTH_BYTES..]);
        })
    }
}

fn word(pair: &[u8]) -> u16 {
    pair.iter().fold(0, |word, byte| word << 8 | u16::from(*byte))
}

/// The flags of EDNS among the records after the question, if it is spoken.
fn edns(mut records: &[u8], count: usize) -> Option<u8> {
    for _ in 0..count {
        let name = record_name_bytes(records)?;
        let fields = records.get(name..name + RECORD_BYTES)?;
        if word(&fields[..2]) == OPT {
            // Code, version, and two bytes of flags stand where others have their time to live.
            return (name == 1).then_some(fields[6]);
        }
        records = records.get(name + RECORD_BYTES + usize::from(word(&fields[8..]))..)?;
    }
    None
}

/// Length of a name that may end in a pointer (RFC 1035, section 4.1.4).
fn record_name_bytes(bytes: &[u8]) -> Option<usize> {
    let mut place = 0;
    loop {
        match *bytes.get(place)? {
            0 => return Some(place + 1),
            pointer if pointer >= 0xc0 => return Some(place + 2),
            label if label <= 63 && place < NAME_BYTES_MAX => place += 1 + usize::from(label),
            _ => return None,
        }
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
    use super::{Datagram, Query, Segment, StreamQuery};
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

    /// Who speaks EDNS is answered so, whatever other records stand before (here one of TSIG's kind with
    /// a compressed name); its wish for signatures is repeated.
    #[test]
    fn edns_is_answered_with_edns() {
        let plain = &MESSAGE[..MESSAGE.len() - 3];
        let other = b"\xc0\x0c\0\x10\0\x01\0\0\0\0\0\x02ab".as_slice();
        let opt = b"\0\0\x29\x10\0\0\0\x80\0\0\x0c\0\x0a\0\x08cookie!!".as_slice();
        for (count, more, expected) in [
            (1, opt.to_vec(), Some(0x80)),
            (2, [other, opt].concat(), Some(0x80)),
            (1, b"\0\0\x29\x04\xd0\0\0\0\0\0\0".to_vec(), Some(0)),
            (1, other.to_vec(), None),
            (0, opt.to_vec(), None),
        ] {
            let mut message = [plain, &more].concat();
            message[11] = count;
            let packet = query(&message);
            let answer = parse(&packet).unwrap().answer(2).unwrap();
            let answer = answer.bytes();
            assert!(is_sound(answer));
            let (question, record) = answer[28..].split_at(plain.len());
            assert_eq!(question[11], u8::from(expected.is_some()), "{more:?}");
            match expected {
                Some(flags) => assert_eq!(record, [0, 0, 41, 4, 0xd0, 0, 0, flags, 0, 0, 0]),
                None => assert!(record.is_empty(), "{record:?}"),
            }
            // Cut off in its records it is still a query, and never panics.
            for length in 28 + plain.len()..packet.len() {
                assert!(parse(&packet[..length]).is_some());
            }
        }
    }

    fn stream(message: &[u8], port: u8) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 10, 83, 0, 1, 10, 83, 0, 2];
        packet.extend([0x30, 0x39, 0, port, 0, 0, 0, 7, 0, 0, 0, 9, 0x50, 0x18, 1, 0, 0, 0, 0, 0]);
        packet.extend(message);
        packet
    }

    fn parse_stream(packet: &[u8]) -> Option<StreamQuery<'_>> {
        StreamQuery::parse(Segment::parse(Datagram::parse(packet)?)?)
    }

    #[test]
    fn a_query_over_tcp_is_answered_in_the_servers_stead() {
        let plain = &MESSAGE[..MESSAGE.len() - 3];
        let data = [&[0, plain.len() as u8], plain].concat();
        let packet = stream(&data, 53);
        let answer = parse_stream(&packet).unwrap().answer(3).unwrap();
        let answer = answer.bytes();
        assert!(is_sound(answer));
        assert_eq!(answer[12..20], [10, 83, 0, 2, 10, 83, 0, 1]);
        assert_eq!(answer[20..24], [0, 53, 0x30, 0x39]);
        // Goes on where the server is, acknowledges the query, and is all that the server has to say.
        assert_eq!(answer[24..28], 9_u32.to_be_bytes());
        assert_eq!(answer[28..32], (7 + data.len() as u32).to_be_bytes());
        assert_eq!(answer[33], 0x19);
        let expected = b"\x12\x34\x81\x83\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x01\0\x01";
        assert_eq!(answer[40..42], [0, expected.len() as u8]);
        assert_eq!(&answer[42..], expected);
        // Half a message, more than one, another port.
        assert!(parse_stream(&stream(&data[..data.len() - 1], 53)).is_none());
        assert!(parse_stream(&stream(&[&data[..], b"x"].concat(), 53)).is_none());
        assert!(parse_stream(&stream(&data, 54)).is_none());
        assert!(parse_stream(&stream(b"\0", 53)).is_none());
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
