//! Packets of UDP from one end to the other, at an even pace, and what becomes of them.

use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

/// After this without a packet none is on its way any more.
const PATIENCE: Duration = Duration::from_secs(1);
const PACKET_BYTES_MAX: usize = 1_472;
/// A number, and when it was sent.
const HEAD_BYTES: usize = 16;

/// What is sent.
#[derive(Clone, Copy)]
pub(crate) struct Traffic {
    pub(crate) packets: usize,
    /// Between two of them.
    pub(crate) gap: Duration,
    /// Of the data of a packet.
    pub(crate) bytes: usize,
}

/// What arrived.
#[derive(Default)]
pub(crate) struct Sample {
    pub(crate) sent: u64,
    /// Of first copies, in milliseconds, in the order in which they arrived.
    pub(crate) delays: Vec<f64>,
    pub(crate) copies: u64,
    /// Those that arrived after one that was sent later.
    pub(crate) overtaken: u64,
    /// Runs of losses.
    pub(crate) bursts: u64,
    /// From the first arrival to the last.
    pub(crate) span: Duration,
}

impl Sample {
    pub(crate) fn received(&self) -> u64 {
        self.delays.len() as u64
    }

    pub(crate) fn lost(&self) -> u64 {
        self.sent - self.received()
    }

    /// The delay that this share of the packets did not exceed.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.delays.clone();
        sorted.sort_by(f64::total_cmp);
        let place = (share * sorted.len() as f64) as usize;
        sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn mean(&self) -> f64 {
        self.delays.iter().sum::<f64>() / self.delays.len() as f64
    }
}

/// Sends from the first socket to the second.
pub(crate) fn send([from, to]: &[UdpSocket; 2], traffic: Traffic) -> Sample {
    let begin = Instant::now();
    to.set_read_timeout(Some(PATIENCE)).unwrap();
    thread::scope(|scope| {
        let taker = scope.spawn(|| take(to, traffic.packets, begin));
        let mut packet = [0; PACKET_BYTES_MAX];
        for number in 0..traffic.packets {
            let due = traffic.gap * number as u32;
            thread::sleep(due.saturating_sub(begin.elapsed()));
            packet[..8].copy_from_slice(&(number as u64).to_ne_bytes());
            let now = begin.elapsed().as_nanos() as u64;
            packet[8..HEAD_BYTES].copy_from_slice(&now.to_ne_bytes());
            from.send(&packet[..traffic.bytes]).unwrap();
        }
        taker.join().unwrap()
    })
}

fn take(socket: &UdpSocket, packets: usize, begin: Instant) -> Sample {
    let mut sample = Sample { sent: packets as u64, ..Sample::default() };
    let mut seen = vec![false; packets];
    let (mut highest, mut first, mut last) = (0, None, Duration::ZERO);
    let mut packet = [0; PACKET_BYTES_MAX];
    while let Ok(length) = socket.recv(&mut packet) {
        let now = begin.elapsed();
        assert!(length >= HEAD_BYTES, "a packet of {length} bytes");
        let word = |place: usize| u64::from_ne_bytes(*packet[place..].first_chunk().unwrap());
        let number = word(0) as usize;
        last = now;
        first.get_or_insert(now);
        if std::mem::replace(&mut seen[number], true) {
            sample.copies += 1;
            continue;
        }
        sample.overtaken += u64::from(number < highest);
        highest = highest.max(number);
        sample.delays.push((now - Duration::from_nanos(word(8))).as_secs_f64() * 1e3);
    }
    let ends = seen.windows(2).filter(|pair| !pair[0] && pair[1]).count();
    sample.bursts = ends as u64;
    sample.span = last - first.unwrap_or_default();
    sample
}
