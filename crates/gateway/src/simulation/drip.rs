//! One end of a connection whose bytes come late and in pieces.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use bulkhead_upstream::Rng;

use super::link::Strike;
use super::path::Path;

/// Largest piece that comes at once.
const PIECE_BYTES_MAX: u64 = 5_000;
/// One in so many pieces is very short, to split whatever can be split.
const SHORT_ONE_IN: u64 = 4;

/// What a read gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    Bytes(usize),
    Nothing,
    Ended,
}

/// A socket, and what is on its way to it.
#[derive(Debug)]
pub(super) struct Drip {
    socket: UnixStream,
    /// Longest time that a piece takes.
    latency: Duration,
    /// Bytes that are read in a millisecond; so whoever writes is held up.
    bytes_per_ms: u64,
    /// Nothing is read until then.
    reads: Duration,
    /// Pieces, each with its time of arrival, which never goes down.
    held: VecDeque<(Duration, Vec<u8>)>,
    arrives: Duration,
    /// Faults of the link, towards the socket and from it.
    to: Path,
    from: Path,
    /// The socket has ended, and something may be on its way from it.
    ended: bool,
}

impl Drip {
    pub(super) fn new(socket: UnixStream, latency: Duration, random: &mut Rng) -> Self {
        socket.set_nonblocking(true).unwrap();
        let bytes_per_ms = [1_000, 10_000, 1_000_000][random.below(3) as usize];
        let (held, arrives, reads) = (VecDeque::new(), Duration::ZERO, Duration::ZERO);
        let (to, from, ended) = (Path::default(), Path::default(), false);
        Self { socket, latency, bytes_per_ms, reads, held, arrives, to, from, ended }
    }

    /// A fault strikes the link of this connection. `number`: which of the link's it is.
    pub(super) fn strike(&mut self, strike: &Strike, number: u64) {
        let seed = strike.seed.wrapping_add(2 * number);
        if let Some(to) = &strike.to {
            self.to.impose(strike.key, to, seed, strike.expires);
        }
        if let Some(from) = &strike.from {
            self.from.impose(strike.key, from, seed.wrapping_add(1), strike.expires);
        }
    }

    /// It is taken back.
    pub(super) fn lift(&mut self, key: u128) {
        self.to.lift(key);
        self.from.lift(key);
    }

    /// Sends bytes on their way.
    pub(super) fn send(&mut self, now: Duration, bytes: &mut Vec<u8>, random: &mut Rng) {
        if self.to.is_open() {
            self.to.send(now, bytes);
            *bytes = self.to.take(now, usize::MAX);
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let bound = if random.below(SHORT_ONE_IN) == 0 { 8 } else { PIECE_BYTES_MAX };
            let (piece, after) = rest.split_at(rest.len().min(1 + random.below(bound) as usize));
            let takes = self.latency.mul_f64(random.below(1_000) as f64 / 1e3);
            self.arrives = self.arrives.max(now + takes);
            self.held.push_back((self.arrives, piece.to_vec()));
            rest = after;
        }
        bytes.clear();
    }

    /// Lets arrive what is due. False: the other end is gone.
    pub(super) fn deliver(&mut self, now: Duration) -> bool {
        if self.to.is_reset() || self.from.is_reset() {
            return false;
        }
        while let Some((arrives, piece)) = self.held.front_mut()
            && *arrives <= now
        {
            match self.socket.write(piece) {
                Ok(count) if count == piece.len() => drop(self.held.pop_front()),
                Ok(count) => drop(piece.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => {
                    // What is on its way from it arrives nevertheless.
                    self.held.clear();
                    return self.from.is_open();
                }
            }
        }
        true
    }

    /// When the next piece arrives, or is read.
    pub(super) fn next(&self, now: Duration) -> Option<Duration> {
        let arrival = self.held.front().map(|(arrives, _)| *arrives);
        let paths = self.to.next(now).into_iter().chain(self.from.next(now));
        arrival.into_iter().chain(paths).chain([self.reads]).filter(|&time| time > now).min()
    }

    /// Whether nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty() && !self.to.is_open()
    }

    /// Reads a piece of any size.
    pub(super) fn read(&mut self, now: Duration, buffer: &mut [u8], random: &mut Rng) -> Input {
        if now < self.reads {
            return Input::Nothing;
        }
        let most = 1 + random.below(buffer.len() as u64) as usize;
        if self.from.is_open() {
            return self.read_path(now, &mut buffer[..most]);
        }
        if self.ended {
            return Input::Ended;
        }
        match (&self.socket).read(&mut buffer[..most]) {
            Ok(0) => Input::Ended,
            Ok(count) => {
                self.reads = now + Duration::from_micros(1_000 * count as u64 / self.bytes_per_ms);
                Input::Bytes(count)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Input::Nothing,
            Err(_) => Input::Ended,
        }
    }

    /// Reads what has come over a link with faults.
    fn read_path(&mut self, now: Duration, buffer: &mut [u8]) -> Input {
        if !self.ended {
            match (&self.socket).read(buffer) {
                Ok(0) => self.ended = true,
                Ok(count) => {
                    let micros = 1_000 * count as u64 / self.bytes_per_ms;
                    self.reads = now + Duration::from_micros(micros);
                    self.from.send(now, &buffer[..count]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.ended = true,
            }
        }
        let arrived = self.from.take(now, buffer.len());
        if arrived.is_empty() {
            return Input::Nothing;
        }
        buffer[..arrived.len()].copy_from_slice(&arrived);
        Input::Bytes(arrived.len())
    }
}
