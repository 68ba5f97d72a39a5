//! One direction of a relay: from one socket to the other, through a buffer that is bounded by what
//! one read gives. While something waits for the sink the source is not read, so that its sender
//! feels the sink's pace. The end of the source is passed on when everything before it has left.

use std::io;

use bulkhead_transport::{Channel, ReadOutcome};

/// Bytes that may wait for a sink: so much is read at once.
const FLOW_BYTES_MAX: usize = 64 * 1024;
/// Reads per direction and turn, so that one fast peer does not starve the others.
const READS_PER_TURN: usize = 4;

/// Which side of a flow failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SideFailed {
    Source,
    Sink,
}

/// What a run of a flow moved.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flowed {
    /// Bytes read from the source.
    pub(super) read: u64,
    /// Bytes written to the sink.
    pub(super) written: u64,
    /// Another run would move more, and no event will say so.
    pub(super) more: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Read, and not yet taken by the sink.
    waiting: Vec<u8>,
    /// Bytes read so far.
    pub(super) total: u64,
    /// The source has ended its side.
    ended: bool,
    /// The sink has been told.
    passed_on: bool,
}

impl Flow {
    /// Whether the source has ended and the sink has been told.
    pub(super) const fn is_over(&self) -> bool {
        self.passed_on
    }

    /// Moves what can be moved now.
    pub(super) fn run(
        &mut self,
        source: &mut Channel,
        sink: &mut Channel,
        buffer: &mut [u8],
    ) -> Result<Flowed, SideFailed> {
        let mut flowed = Flowed::default();
        let window = buffer.len().min(FLOW_BYTES_MAX);
        let buffer = &mut buffer[..window];
        if sink.wants_write() {
            sink.flush().map_err(|_| SideFailed::Sink)?;
        }
        for round in 0..=READS_PER_TURN {
            flowed.written += self.write_waiting(sink)?;
            if !self.waiting.is_empty() || self.passed_on {
                return Ok(flowed);
            }
            if self.ended {
                sink.close_notify();
                self.passed_on = true;
                return Ok(flowed);
            }
            if round == READS_PER_TURN {
                flowed.more = true;
                return Ok(flowed);
            }
            match source.read(buffer).map_err(|_| SideFailed::Source)? {
                ReadOutcome::WouldBlock => return Ok(flowed),
                ReadOutcome::Closed => self.ended = true,
                ReadOutcome::Bytes(count) => {
                    flowed.read += count as u64;
                    self.total += count as u64;
                    let taken = write_some(sink, &buffer[..count])?;
                    flowed.written += taken as u64;
                    self.waiting.extend_from_slice(&buffer[taken..count]);
                }
            }
        }
        Ok(flowed)
    }

    fn write_waiting(&mut self, sink: &mut Channel) -> Result<u64, SideFailed> {
        if self.waiting.is_empty() {
            return Ok(0);
        }
        let taken = write_some(sink, &self.waiting)?;
        if taken == self.waiting.len() {
            // A relay that is idle holds no buffer.
            self.waiting = Vec::new();
        } else {
            self.waiting.drain(..taken);
        }
        Ok(taken as u64)
    }
}

/// Drives the TLS handshake of a source, if it has one; what comes right behind it waits in the flow.
/// True: it is done.
pub(super) fn shake_hands(source: &mut Channel, flow: &mut Flow) -> io::Result<bool> {
    source.flush()?;
    while source.is_handshaking() {
        let mut first = [0; 512];
        match source.read(&mut first)? {
            ReadOutcome::WouldBlock => break,
            ReadOutcome::Closed => return Err(io::ErrorKind::UnexpectedEof.into()),
            ReadOutcome::Bytes(count) => {
                flow.total += count as u64;
                flow.waiting.extend_from_slice(&first[..count]);
            }
        }
    }
    Ok(!source.is_handshaking())
}

/// Writes until the sink takes no more.
fn write_some(sink: &mut Channel, bytes: &[u8]) -> Result<usize, SideFailed> {
    let mut taken = 0;
    while taken < bytes.len() {
        match sink.write(&bytes[taken..]).map_err(|_| SideFailed::Sink)? {
            0 => break,
            count => taken += count,
        }
    }
    Ok(taken)
}
