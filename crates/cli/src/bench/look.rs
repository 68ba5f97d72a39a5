//! What a client at an end of a link meets, for the bench of network faults: echoes (ICMP, answered by
//! the kernel at the other end), a query of DNS, a request of HTTP. It is a process of its own, as only
//! what is born in a network is in it; it is asked in lines of JSON and answers in lines of JSON.

use std::io::{self, BufRead, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto};
use serde::{Deserialize, Serialize};

/// Port of DNS.
const DNS_PORT: u16 = 53;
/// Longest that anything but echoes is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks for answers.
const PAUSE: Duration = Duration::from_micros(200);
/// After the last answer that was expected: copies may follow.
const LINGER: Duration = Duration::from_millis(5);
// RFC 792; RFC 791 for the header before it.
const ECHO: u8 = 8;
const ECHO_REPLY: u8 = 0;
const HEADER_BYTES: usize = 8;
const PACKET_BYTES_MAX: usize = 1_500;

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ask {
    Echo(EchoAsk),
    /// A query of DNS; nobody need listen there.
    Dns(DnsAsk),
    /// A request to this server.
    Web(SocketAddr),
}

/// A query that is to be sent.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct DnsAsk {
    pub(super) address: Ipv4Addr,
    /// For an answer.
    pub(super) wait_ms: u64,
}

/// Echoes that are to be sent.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct EchoAsk {
    pub(super) address: Ipv4Addr,
    pub(super) count: u16,
    /// Of each, behind its header.
    pub(super) bytes: usize,
    /// Between two of them.
    pub(super) gap_us: u64,
    /// For those that have not come back when the last was sent.
    pub(super) wait_ms: u64,
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Seen {
    Echo(EchoSeen),
    /// The code of the answer, if there was one.
    Dns(Option<u8>),
    /// The status, if there was one.
    Web(Option<u16>),
    /// It could not be looked at.
    Failed(String),
}

/// What came back.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct EchoSeen {
    pub(super) sent: u16,
    /// Each counts once.
    pub(super) received: u16,
    pub(super) copies: u16,
    /// Those that came after one that was sent later.
    pub(super) overtaken: u16,
    /// The quickest way there and back.
    pub(super) quickest_us: u64,
    /// From the first that was sent to the last that came.
    pub(super) span_us: u64,
}

/// Answers until standard input ends.
pub(super) fn execute() -> anyhow::Result<()> {
    for (number, line) in io::stdin().lock().lines().enumerate() {
        let seen = match serde_json::from_str(&line?)? {
            Ask::Echo(ask) => echo(&ask, number as u16).map(Seen::Echo),
            Ask::Dns(ask) => dns(&ask).map(Seen::Dns),
            Ask::Web(address) => Ok(Seen::Web(web(address).ok())),
        };
        let seen = seen.unwrap_or_else(|error| Seen::Failed(error.to_string()));
        let mut output = io::stdout().lock();
        serde_json::to_writer(&mut output, &seen)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

fn echo(ask: &EchoAsk, name: u16) -> io::Result<EchoSeen> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        rustix::net::socket_with(AddressFamily::INET, SocketType::RAW, flags, Some(ipproto::ICMP))?;
    rustix::net::connect(&socket, &SocketAddrV4::new(ask.address, 0))?;
    let mut run = Run { name, sent: Vec::new(), came: Vec::new(), seen: EchoSeen::default() };
    for number in 0..ask.count {
        run.sent.push(Instant::now());
        run.came.push(false);
        let packet = packet(name, number, ask.bytes);
        rustix::net::send(&socket, &packet, SendFlags::empty())?;
        run.seen.sent += 1;
        run.take(&socket)?;
        thread::sleep(Duration::from_micros(ask.gap_us));
    }
    let mut until = Instant::now() + Duration::from_millis(ask.wait_ms);
    let mut is_whole = false;
    while Instant::now() < until {
        run.take(&socket)?;
        if run.seen.received == ask.count && !is_whole {
            is_whole = true;
            until = until.min(Instant::now() + LINGER);
        }
        thread::sleep(PAUSE);
    }
    Ok(run.seen)
}

/// Echoes under way.
struct Run {
    name: u16,
    sent: Vec<Instant>,
    came: Vec<bool>,
    seen: EchoSeen,
}

impl Run {
    fn take(&mut self, socket: &OwnedFd) -> io::Result<()> {
        let mut packet = [0; PACKET_BYTES_MAX];
        loop {
            match rustix::net::recv(socket, packet.as_mut_slice(), RecvFlags::empty()) {
                Ok((_, length)) => self.arrived(&packet[..length]),
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn arrived(&mut self, packet: &[u8]) {
        let header = usize::from(packet.first().copied().unwrap_or_default() & 0x0f) * 4;
        let Some(&[ECHO_REPLY, 0, _, _, a, b, c, d]) = packet.get(header..header + HEADER_BYTES)
        else {
            return;
        };
        let number = u16::from_be_bytes([c, d]);
        let Some(came) = self.came.get_mut(usize::from(number)) else { return };
        if u16::from_be_bytes([a, b]) != self.name {
            return;
        }
        let now = Instant::now();
        if *came {
            self.seen.copies += 1;
            return;
        }
        *came = true;
        let later = usize::from(number) + 1;
        self.seen.overtaken += u16::from(self.came[later..].contains(&true));
        let (took, first) = (now - self.sent[usize::from(number)], self.seen.received == 0);
        let took = took.as_micros() as u64;
        self.seen.quickest_us = if first { took } else { self.seen.quickest_us.min(took) };
        self.seen.span_us = (now - self.sent[0]).as_micros() as u64;
        self.seen.received += 1;
    }
}

fn packet(name: u16, number: u16, bytes: usize) -> Vec<u8> {
    let mut packet = vec![ECHO, 0, 0, 0];
    packet.extend(name.to_be_bytes());
    packet.extend(number.to_be_bytes());
    packet.resize(HEADER_BYTES + bytes, b'b');
    let checksum = checksum(&packet).to_be_bytes();
    packet[2..4].copy_from_slice(&checksum);
    packet
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|it| u16::from_be_bytes([it[0], *it.get(1).unwrap_or(&0)]));
    let mut sum: u32 = words.map(u32::from).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// RFC 1035, section 4.1: one question, for the address of `bench`.
fn dns(ask: &DnsAsk) -> io::Result<Option<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect((ask.address, DNS_PORT))?;
    socket.set_read_timeout(Some(Duration::from_millis(ask.wait_ms)))?;
    let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x05bench\0\0\x01\0\x01";
    socket.send(query)?;
    let mut answer = [0; 512];
    // Where nobody listens the kernel refuses, which is no answer either.
    Ok(socket.recv(&mut answer).ok().filter(|length| *length > 3).map(|_| answer[3] & 0x0f))
}

fn web(address: SocketAddr) -> anyhow::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /api/v1/7/feed HTTP/1.1\r\nhost: bench\r\n\r\n")?;
    let mut line = [0; 12];
    stream.read_exact(&mut line)?;
    Ok(std::str::from_utf8(&line[9..])?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::{checksum, packet};

    #[test]
    fn a_packet_with_its_checksum_sums_up_to_nothing() {
        for bytes in [0, 1, 56, 1_000] {
            assert_eq!(checksum(&packet(7, 300, bytes)), 0, "{bytes}");
        }
        // The example of RFC 1071, section 3.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }
}
