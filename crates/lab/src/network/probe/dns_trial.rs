//! Queries of DNS over a link, to see what becomes of them.

use std::io;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, ipproto, sockopt};

use super::{Drain, PROBE_TOS};
use crate::network::Link;

const PORT: u16 = 53;
/// Header of IPv4 (that of a packet on a link has no options) and of UDP.
const HEADERS_BYTES: usize = 28;
/// One question for a name that exists nowhere (RFC 6761, section 6.4); the first two bytes are the
/// query's number.
const QUERY: &[u8] = b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x0ebulkhead-probe\x07invalid\0\0\x01\0\x01";

/// What became of queries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DnsTrial {
    /// Queries that were sent.
    pub(crate) sent: usize,
    /// That arrived less than `slow` after they were sent.
    pub(crate) passed: usize,
    /// That arrived later.
    pub(crate) slow: usize,
    /// That never arrived, and were answered with this code all the same.
    pub(crate) answered: usize,
}

#[derive(Clone, Copy)]
struct Sent {
    at: Instant,
    arrived: Option<Duration>,
    answered: bool,
}

/// Sends queries upstream (0) or downstream (1). The far end is heard with a raw socket, so that it
/// matters not whether a resolver listens there. `slow`: from which delay on a query counts as held back.
///
/// # Errors
/// The deadline came first, or sockets of that kind are not allowed.
pub(crate) fn dns_trial(
    link: &Link,
    lane: usize,
    count: usize,
    (code, slow): (u8, Duration),
    deadline: Instant,
) -> io::Result<DnsTrial> {
    let ends = [link.client(), link.server()];
    let (from, to) = (ends[lane], ends[1 - lane]);
    let sender = from.namespace.enter(|| UdpSocket::bind((from.v4, 0)));
    let sender = sender.map_err(io::Error::other)??;
    sender.set_nonblocking(true)?;
    sockopt::set_ip_tos(&sender, PROBE_TOS)?;
    let ear = to.namespace.enter(listen_raw).map_err(io::Error::other)??;
    let port = sender.local_addr()?.port();
    let drain = Drain::begin(link, lane, slow, deadline).map_err(io::Error::other)?;
    let mut queries = Vec::with_capacity(count);
    let hear = |queries: &mut Vec<Sent>| {
        hear_arrivals(&ear, port, queries)?;
        hear_answers(&sender, code, queries)
    };
    for number in 0..count {
        let mut query = QUERY.to_vec();
        query[..2].copy_from_slice(&(number as u16).to_be_bytes());
        queries.push(Sent { at: Instant::now(), arrived: None, answered: false });
        sender.send_to(&query, (to.v4, PORT))?;
        hear(&mut queries)?;
    }
    let last = Instant::now();
    while queries.iter().any(|query| query.arrived.is_none() && !query.answered) {
        let empty = drain.is_empty(count as u64, last).map_err(io::Error::other)?;
        hear(&mut queries)?;
        if empty {
            break;
        }
        if Instant::now() >= deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(super::PAUSE);
    }
    Ok(DnsTrial::of(&queries, slow))
}

impl DnsTrial {
    fn of(queries: &[Sent], slow: Duration) -> Self {
        let arrived = |is: &dyn Fn(Duration) -> bool| {
            queries.iter().filter(|query| query.arrived.is_some_and(is)).count()
        };
        Self {
            sent: queries.len(),
            passed: arrived(&|delay| delay < slow),
            slow: arrived(&|delay| delay >= slow),
            answered: queries
                .iter()
                .filter(|query| query.answered && query.arrived.is_none())
                .count(),
        }
    }
}

fn listen_raw() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (family, kind) = (AddressFamily::INET, SocketType::RAW);
    Ok(rustix::net::socket_with(family, kind, flags, Some(ipproto::UDP))?)
}

fn hear_arrivals(ear: &OwnedFd, port: u16, queries: &mut [Sent]) -> io::Result<()> {
    let mut packet = [0; 2_048];
    loop {
        match rustix::net::recv(ear, packet.as_mut_slice(), RecvFlags::empty()) {
            Ok((_, length)) => {
                let packet = &packet[..length];
                if packet.get(20..22) == Some(&port.to_be_bytes())
                    && let Some(query) = find(packet.get(HEADERS_BYTES..), queries)
                {
                    let delay = query.at.elapsed();
                    query.arrived.get_or_insert(delay);
                }
            }
            Err(rustix::io::Errno::AGAIN) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn hear_answers(sender: &UdpSocket, code: u8, queries: &mut [Sent]) -> io::Result<()> {
    let mut answer = [0; 2_048];
    loop {
        match sender.recv(&mut answer) {
            Ok(length) => {
                let answer = &answer[..length];
                if answer.get(3).is_some_and(|flags| flags & 0x0f == code)
                    && let Some(query) = find(Some(answer), queries)
                {
                    query.answered = true;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn find<'a>(message: Option<&[u8]>, queries: &'a mut [Sent]) -> Option<&'a mut Sent> {
    let number = message?.get(..2)?;
    queries.get_mut(usize::from(u16::from_be_bytes([number[0], number[1]])))
}
