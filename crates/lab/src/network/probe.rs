//! Probes through a link, from one end to the other, by sockets of the lab's own.
//!
//! They are packets like any others, so that what happens to them is what happens to the traffic; and
//! since both ends are in one process, each direction is measured alone, on one clock. They see the
//! link as its users do, not as its box says that it is.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use bulkhead_chaos::{Expectation, Tally};
use rustix::net::{RecvFlags, SendFlags, sockopt};

use super::link::End;
use super::reply::Datagram;
use super::{Link, NetworkError};

mod dns_trial;
mod drain;
mod reset_trial;

use drain::Drain;

pub(super) use dns_trial::{DnsTrial, dns_trial};
pub(super) use reset_trial::{CHUNK_BYTES_MAX, ResetTrial, reset_trial};

/// Type of service of the lab's own packets: a code point for local use (RFC 2474, section 6), by which the
/// box knows them. Faults strike them as any others, but they are no effect on anybody.
pub(super) const PROBE_TOS: u8 = 43 << 2;
/// In the type of service, what TCP itself may set (RFC 3168).
const ECN: u8 = 0b11;
/// Headers of IPv4 and UDP.
const HEADER_BYTES: usize = 28;
/// Probes that are sent before arrivals are taken.
const CHUNK: usize = 32;
/// Largest probe, as an IP packet.
const PROBE_BYTES_MAX: usize = 1_500;
/// Receive buffer of a probing socket, in bytes: arrivals wait in it while this thread does not run.
const BUFFER_BYTES: usize = 16 * 1024 * 1024;
/// Between two looks for arrivals.
const PAUSE: Duration = Duration::from_micros(200);

/// Whether a packet is the lab's own, or the kernel's complaint about such a one.
pub(super) fn is_probe(packet: &[u8]) -> bool {
    const ICMP: u8 = 1;
    const ICMP_HEADER_BYTES: usize = 8;
    let is_own = |packet: &[u8]| matches!(packet, [version, service, ..] if version >> 4 == 4 && service & !ECN == PROBE_TOS);
    let about = || {
        let datagram = Datagram::parse(packet).filter(|it| it.protocol == ICMP)?;
        datagram.payload.get(ICMP_HEADER_BYTES..)
    };
    is_own(packet) || about().is_some_and(is_own)
}

/// A pair of sockets through a link.
#[derive(Debug)]
pub(super) struct Prober {
    /// At the client's and at the server's end; one verification at a time.
    sockets: Mutex<[UdpSocket; 2]>,
}

/// A run of probes under way.
struct Run {
    /// Tells its probes from those of earlier runs.
    name: u64,
    sent_at: Vec<Instant>,
    arrivals: Vec<u8>,
    tally: Tally,
    delay_total: Duration,
    highest: usize,
    last: Option<Instant>,
}

impl Prober {
    pub(super) fn new(ends: &[End; 2]) -> Result<Self, NetworkError> {
        let failed = || NetworkError::at("open a probing socket");
        let open = |end: &End| {
            end.namespace
                .enter(|| {
                    let socket = UdpSocket::bind((end.v4, 0))?;
                    sockopt::set_ip_tos(&socket, PROBE_TOS)?;
                    // More than the host's limit needs a privilege that a user namespace does not give;
                    // less loses probes on a busy machine only.
                    if sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER_BYTES).is_err() {
                        sockopt::set_socket_recv_buffer_size(&socket, BUFFER_BYTES)?;
                    }
                    Ok(socket)
                })?
                .map_err(failed())
        };
        let sockets = [open(&ends[0])?, open(&ends[1])?];
        let address = |socket: &UdpSocket| socket.local_addr().map_err(failed());
        let addresses: [SocketAddr; 2] = [address(&sockets[0])?, address(&sockets[1])?];
        for (socket, peer) in sockets.iter().zip(addresses.iter().rev()) {
            socket.connect(peer).map_err(failed())?;
        }
        Ok(Self { sockets: Mutex::new(sockets) })
    }

    /// Waits for the end of another verification, no longer than until the deadline.
    fn lock(&self, deadline: Instant) -> io::Result<MutexGuard<'_, [UdpSocket; 2]>> {
        loop {
            match self.sockets.try_lock() {
                Ok(sockets) => return Ok(sockets),
                Err(TryLockError::Poisoned(sockets)) => return Ok(sockets.into_inner()),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            }
        }
    }

    /// Sends at least `least` probes upstream (0) or downstream (1), as many as this expectation needs,
    /// and takes what arrives. Ends when all have, or when the box has none left.
    ///
    /// # Errors
    /// The deadline came first, or the kernel refused.
    pub(super) fn run(
        &self,
        link: &Link,
        lane: usize,
        least: u64,
        expected: &Expectation,
        deadline: Instant,
    ) -> io::Result<Tally> {
        let sockets = self.lock(deadline)?;
        let (from, to) = (&sockets[lane], &sockets[1 - lane]);
        let drain =
            Drain::begin(link, lane, expected.patience(), deadline).map_err(io::Error::other)?;
        let count = expected.probes().max(least) as usize;
        let mut run = Run::new(count);
        for begin in (0..count).step_by(CHUNK) {
            for number in begin..count.min(begin + CHUNK) {
                run.send(from, number, expected.probe_bytes())?;
            }
            run.take(to)?;
            if Instant::now() >= deadline {
                break;
            }
        }
        let last = Instant::now();
        while run.tally.received < run.tally.sent {
            // Asked before the last look: what has been sent on by then is found by it.
            let empty = drain.is_empty(run.tally.sent, last).map_err(io::Error::other)?;
            run.take(to)?;
            if empty {
                break;
            }
            if Instant::now() >= deadline {
                // What is still on its way is neither lost nor late.
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(PAUSE);
        }
        Ok(run.finish())
    }
}

impl Run {
    fn new(count: usize) -> Self {
        static RUNS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        Self {
            name: RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            sent_at: Vec::with_capacity(count),
            arrivals: vec![0; count],
            tally: Tally::default(),
            delay_total: Duration::ZERO,
            highest: 0,
            last: None,
        }
    }

    fn send(&mut self, socket: &UdpSocket, number: usize, bytes: usize) -> io::Result<()> {
        let mut probe = [0; PROBE_BYTES_MAX];
        probe[..8].copy_from_slice(&self.name.to_ne_bytes());
        probe[8..16].copy_from_slice(&(number as u64).to_ne_bytes());
        let probe = &probe[..bytes.saturating_sub(HEADER_BYTES)];
        self.sent_at.push(Instant::now());
        // A full device drops it. The box then never takes as many as were sent, and the run ends at the
        // deadline: unknown, not failed.
        rustix::net::send(socket, probe, SendFlags::empty())?;
        self.tally.sent += 1;
        Ok(())
    }

    /// Takes what has arrived, without waiting.
    fn take(&mut self, socket: &UdpSocket) -> io::Result<()> {
        let mut probe = [0; PROBE_BYTES_MAX];
        loop {
            match rustix::net::recv(socket, probe.as_mut_slice(), RecvFlags::DONTWAIT) {
                Ok((_, length)) => self.arrived(&probe[..length], Instant::now()),
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn arrived(&mut self, probe: &[u8], now: Instant) {
        let word = |place: usize| {
            let bytes = probe.get(place..place + 8)?.try_into().ok()?;
            Some(u64::from_ne_bytes(bytes))
        };
        let (Some(name), Some(number)) = (word(0), word(8)) else { return };
        let number = number as usize;
        let (Some(&sent_at), Some(arrivals)) =
            (self.sent_at.get(number), self.arrivals.get_mut(number))
        else {
            return;
        };
        if name != self.name {
            return;
        }
        self.tally.bytes += (probe.len() + HEADER_BYTES) as u64;
        self.last = Some(now);
        *arrivals = arrivals.saturating_add(1);
        if *arrivals > 1 {
            self.tally.copies += 1;
            return;
        }
        self.tally.received += 1;
        self.tally.reordered += u64::from(number < self.highest);
        self.highest = self.highest.max(number);
        let delay = now - sent_at;
        self.delay_total += delay;
        self.tally.delay_max = self.tally.delay_max.max(delay);
        let quickest = if self.tally.received == 1 { delay } else { self.tally.delay_min };
        self.tally.delay_min = quickest.min(delay);
    }

    fn finish(mut self) -> Tally {
        let count = u32::try_from(self.tally.received).unwrap_or(u32::MAX).max(1);
        self.tally.delay_mean = self.delay_total / count;
        if let (Some(&first), Some(last)) = (self.sent_at.first(), self.last) {
            self.tally.span = last - first;
        }
        self.tally
    }
}
