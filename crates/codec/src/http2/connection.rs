//! The connection state machine: its state, its face, and what concerns the connection as a whole.

mod receive;
mod send;

use std::collections::VecDeque;

use super::flood::{Flood, Guard};
use super::frame;
use super::hpack::{DecodeLimits, Decoder, Encoder};
use super::settings::{PeerSettings, Settings};
use super::streams::{Remembered, State, Streams};
use super::{Counters, PREFACE};
use crate::{ConnectionError, ErrorCode, Event, Heads, Role, StreamId, Tag};

/// Acknowledgements that may wait in `out` at most. A peer that asks for more without reading is cut off.
const ACKNOWLEDGEMENT_BYTES_MAX: usize = 65_536;

/// Reset streams whose late frames are still recognised and ignored.
const RESETS_REMEMBERED: usize = 1_024;

/// Ended streams on which late frames are recognised as STREAM_CLOSED.
const ENDS_REMEMBERED: usize = 64;

/// One connection. Plain data: `Send`, movable between threads at any moment between two calls.
#[derive(Debug)]
pub struct Connection {
    role: Role,
    settings: Settings,
    peer: PeerSettings,
    phase: Phase,
    decoder: Decoder,
    encoder: Encoder,
    limits: DecodeLimits,
    streams: Streams,
    /// Client: number of the next stream. Server: not used.
    next_id: StreamId,
    /// Server: highest stream the peer has used. Client: not used.
    last_id: StreamId,
    send_window: i64,
    receive_window: i64,
    /// Released by the owner or dropped by us, not yet given back to the peer.
    owed: u32,
    /// Field block whose CONTINUATION frames are still to come.
    block: Option<Block>,
    block_bytes: Vec<u8>,
    /// Streams that wait for the connection's window only, in order.
    queue: VecDeque<StreamId>,
    resets: Remembered,
    ends: Remembered,
    guard: Guard,
    counters: Counters,
    acknowledgement_bytes: usize,
    out_bytes_seen: usize,
    /// Client: streams above this one were not processed; each is still to be reported.
    unprocessed_above: Option<StreamId>,
    failed: Option<ConnectionError>,
}

/// How far the connection is in its life.
#[derive(Clone, Copy, Debug, Default)]
struct Phase {
    preface_seen: bool,
    settings_seen: bool,
    settings_acknowledged: bool,
    announced_close: bool,
    /// No stream is accepted (server) or opened (client) any more.
    closing: bool,
    /// The peer sent GOAWAY.
    peer_leaving: bool,
}

/// A field block under way.
#[derive(Clone, Copy, Debug)]
struct Block {
    stream: StreamId,
    end_stream: bool,
    depends_on_itself: bool,
    continuations: u32,
}

/// What ends the connection, before the peer was told.
#[derive(Clone, Copy, Debug)]
struct Fault(ErrorCode, &'static str);

impl Fault {
    const fn protocol(reason: &'static str) -> Self {
        Self(ErrorCode::PROTOCOL_ERROR, reason)
    }
}

impl From<Flood> for Fault {
    fn from(flood: Flood) -> Self {
        Self(ErrorCode::ENHANCE_YOUR_CALM, flood.0)
    }
}

impl Connection {
    /// A connection at its beginning.
    pub fn new(role: Role, settings: &Settings) -> Self {
        let settings = settings.clamped();
        Self {
            role,
            peer: PeerSettings::new(settings.streams_assumed),
            phase: Phase { preface_seen: role == Role::Client, ..Phase::default() },
            decoder: Decoder::new(settings.header_table_bytes as usize),
            encoder: Encoder::new(settings.huffman),
            limits: DecodeLimits {
                bytes_max: settings.head_bytes_max as usize,
                // The four pseudo-header fields do not count.
                fields_max: settings.fields_max.saturating_add(4),
            },
            streams: Streams::default(),
            next_id: 1,
            last_id: 0,
            send_window: i64::from(frame::WINDOW_BYTES_DEFAULT),
            receive_window: i64::from(settings.connection_window_bytes),
            owed: 0,
            block: None,
            block_bytes: Vec::new(),
            queue: VecDeque::new(),
            resets: Remembered::new(RESETS_REMEMBERED),
            ends: Remembered::new(ENDS_REMEMBERED),
            guard: Guard::new(settings.streams_max, settings.connection_window_bytes),
            counters: Counters::default(),
            acknowledgement_bytes: 0,
            out_bytes_seen: 0,
            unprocessed_above: None,
            failed: None,
            settings,
        }
    }

    /// Writes what this side sends first: preface (client), SETTINGS, WINDOW_UPDATE.
    pub fn start(&mut self, out: &mut Vec<u8>) {
        if self.role == Role::Client {
            out.extend_from_slice(PREFACE);
        }
        self.settings.write(self.role, out);
        let more = self.settings.connection_window_bytes - frame::WINDOW_BYTES_DEFAULT;
        if more > 0 {
            frame::write_window_update(0, more, out);
        }
    }

    /// Decodes the next event from the front of `input` and advances it past what was consumed.
    /// `None`: nothing more can be decoded; the caller keeps what is left of `input` (an incomplete
    /// frame) and calls again with more bytes behind it.
    /// Answers that the protocol demands (SETTINGS and PING acknowledgements, resets) go to `out`.
    ///
    /// # Errors
    /// When the connection cannot go on; `out` then ends with what the peer is to be told.
    #[inline]
    pub fn next_event<'a>(
        &mut self,
        input: &mut &'a [u8],
        heads: &mut Heads,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'a>>, ConnectionError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.decode(input, heads, out) {
            Ok(event) => Ok(event),
            Err(fault) => Err(self.fail(fault, out)),
        }
    }

    /// The peer closed its sending half after `rest` (what the last call left).
    ///
    /// # Errors
    /// When a message was cut off.
    pub fn end_of_input(&mut self, rest: &[u8]) -> Result<Option<Event<'static>>, ConnectionError> {
        let cut_off = !rest.is_empty()
            || self.block.is_some()
            || self.streams.iter_mut().any(|stream| !stream.state.has(State::REMOTE_ENDED));
        if !cut_off {
            return Ok(None);
        }
        let reason = "connection closed within a message";
        Err(ConnectionError { code: ErrorCode::NO_ERROR, status: 0, reason })
    }

    #[cold]
    fn fail(&mut self, Fault(code, reason): Fault, out: &mut Vec<u8>) -> ConnectionError {
        frame::write_goaway(self.last_id, code, reason, out);
        let error = ConnectionError { code, status: 0, reason };
        self.failed = Some(error);
        error
    }

    /// Attaches the owner's word to a stream.
    #[inline]
    pub fn set_tag(&mut self, stream: StreamId, tag: Tag) {
        if let Some(stream) = self.streams.find_mut(stream) {
            stream.tag = tag;
        }
    }

    /// Calls `visit` with each live stream and its tag (evacuation, failure of the connection).
    pub fn for_each_stream(&mut self, mut visit: impl FnMut(StreamId, &mut Tag)) {
        for stream in self.streams.iter_mut() {
            visit(stream.id, &mut stream.tag);
        }
    }

    /// Number of live streams.
    #[inline]
    pub fn active_streams(&self) -> usize {
        self.streams.len()
    }

    /// Client: how many streams may be opened now.
    #[inline]
    pub fn available_streams(&self) -> usize {
        if self.phase.closing || self.failed.is_some() || self.next_id > frame::STREAM_ID_MAX {
            return 0;
        }
        (self.peer.streams_max as usize).saturating_sub(self.streams.len())
    }

    /// Asks for an answer (PING).
    pub fn ping(&mut self, payload: [u8; 8], out: &mut Vec<u8>) {
        if self.failed.is_none() {
            frame::write_ping(0, payload, out);
        }
    }

    /// First phase of a graceful end. Server: GOAWAY(2^31-1); new requests are still taken until
    /// [`Self::refuse_new`]. Client: GOAWAY(0); no stream is opened any more.
    pub fn announce_close(&mut self, out: &mut Vec<u8>) {
        if self.failed.is_some() || self.phase.announced_close || self.phase.closing {
            return;
        }
        self.phase.announced_close = true;
        if self.role == Role::Client {
            self.phase.closing = true;
            return frame::write_goaway(0, ErrorCode::NO_ERROR, "", out);
        }
        frame::write_goaway(frame::STREAM_ID_MAX, ErrorCode::NO_ERROR, "", out);
    }

    /// Second phase: GOAWAY with the last stream really taken; later streams are refused.
    pub fn refuse_new(&mut self, code: ErrorCode, out: &mut Vec<u8>) {
        if self.failed.is_some() {
            return;
        }
        self.phase.closing = true;
        self.phase.announced_close = true;
        frame::write_goaway(self.last_id, code, "", out);
    }

    /// Nothing more will happen here once `out` is flushed: close the connection. True after an error,
    /// and when the connection is going away and no stream is left.
    #[inline]
    pub fn must_close(&self) -> bool {
        let leaving = self.phase.closing || self.phase.peer_leaving;
        self.failed.is_some() || (leaving && self.streams.len() == 0)
    }

    /// Which end we are.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// What the peer did that cost us since the last call; `None`: nothing.
    #[inline]
    pub fn take_counters(&mut self) -> Option<Counters> {
        (self.counters != Counters::default()).then(|| std::mem::take(&mut self.counters))
    }

    /// Removes a stream whose two halves are closed.
    fn finish(&mut self, id: StreamId, out: &mut Vec<u8>) {
        if let Some(stream) = self.streams.remove(id) {
            self.ends.push(id);
            self.guard.completed();
            self.credit(stream.unreleased, out);
        }
    }

    /// Puts a blocked stream whose own window is open into the queue.
    fn enqueue(&mut self, id: StreamId) {
        // Streams that ended while they waited are left behind in the queue.
        if self.queue.len() > 2 * self.streams.len() + 64 {
            let streams = &self.streams;
            self.queue.retain(|&id| streams.find(id).is_some());
        }
        if let Some(stream) = self.streams.find_mut(id)
            && stream.send_window > 0
            && !stream.state.has(State::QUEUED)
        {
            stream.state.set(State::QUEUED);
            self.queue.push_back(id);
        }
    }

    /// Gives back window of the connection.
    #[inline]
    fn credit(&mut self, bytes: u32, out: &mut Vec<u8>) {
        self.owed += bytes;
        if self.owed >= self.settings.connection_window_bytes / 2 {
            self.receive_window += i64::from(self.owed);
            frame::write_window_update(0, self.owed, out);
            self.owed = 0;
        }
    }
}

#[cfg(test)]
mod tests;
