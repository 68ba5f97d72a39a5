//! The connection state machine.

use bulkhead_message::{Fields, RequestHead, ResponseHead};

use crate::{ConnectionError, ErrorCode, Event, Heads, OpenError, Role, SendError, StreamId, Tag};

/// What we announce to the peer and how much we put up with. Sizes in bytes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// SETTINGS_HEADER_TABLE_SIZE that we announce (default 4,096).
    pub header_table_bytes: u32,
    /// SETTINGS_MAX_CONCURRENT_STREAMS that we announce as server (default 256).
    pub streams_max: u32,
    /// SETTINGS_INITIAL_WINDOW_SIZE: receive window of each stream (default 65,535 at the server).
    pub stream_window_bytes: u32,
    /// Receive window of the connection (default 1,048,576).
    pub connection_window_bytes: u32,
    /// SETTINGS_MAX_FRAME_SIZE: largest payload that we take (default 16,384).
    pub frame_bytes_max: u32,
    /// SETTINGS_MAX_HEADER_LIST_SIZE, enforced while decoding (default 65,536).
    pub head_bytes_max: u32,
    /// Most fields in a head or trailer section (default 128).
    pub fields_max: usize,
    /// CONTINUATION frames in one field block (default 16).
    pub continuations_max: u32,
    /// Client: streams to assume that the peer allows before its SETTINGS are here (default 100).
    pub streams_assumed: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            header_table_bytes: 4_096,
            streams_max: 256,
            stream_window_bytes: 65_535,
            connection_window_bytes: 1_048_576,
            frame_bytes_max: 16_384,
            head_bytes_max: 65_536,
            fields_max: 128,
            continuations_max: 16,
            streams_assumed: 100,
        }
    }
}

/// One connection. Plain data: `Send`, movable between threads at any moment between two calls.
#[derive(Debug)]
pub struct Connection {
    role: Role,
}

impl Connection {
    /// A connection at its beginning.
    pub fn new(role: Role, _settings: &Settings) -> Self {
        Self { role }
    }

    /// Writes what this side sends first (HTTP/2: preface, SETTINGS, WINDOW_UPDATE. HTTP/1: nothing).
    pub fn start(&mut self, _out: &mut Vec<u8>) {}

    /// Decodes the next event from the front of `input` and advances it past what was consumed.
    /// `None`: nothing more can be decoded; the caller keeps what is left of `input` and calls again
    /// with more bytes behind it (HTTP/2: an incomplete frame; HTTP/1: an incomplete head or chunk
    /// line, or a pipelined request whose turn has not come).
    /// Answers that the protocol demands (SETTINGS and PING acknowledgements, resets) go to `out`.
    ///
    /// # Errors
    /// When the connection cannot go on; `out` then ends with what the peer is to be told.
    pub fn next_event<'a>(
        &mut self,
        _input: &mut &'a [u8],
        _heads: &mut Heads,
        _out: &mut Vec<u8>,
    ) -> Result<Option<Event<'a>>, ConnectionError> {
        Ok(None)
    }

    /// The peer closed its sending half after `rest` (what the last call left). HTTP/1 client: a body
    /// that lasts until the close ends well here. To be called until it gives `None`.
    ///
    /// # Errors
    /// When a message was cut off.
    pub fn end_of_input(
        &mut self,
        _rest: &[u8],
    ) -> Result<Option<Event<'static>>, ConnectionError> {
        Ok(None)
    }

    /// Attaches the owner's word to a stream.
    pub fn set_tag(&mut self, _stream: StreamId, _tag: Tag) {}

    /// Calls `visit` with each live stream and its tag (evacuation, failure of the connection).
    pub fn for_each_stream(&mut self, _visit: impl FnMut(StreamId, &mut Tag)) {}

    /// Number of live streams.
    pub fn active_streams(&self) -> usize {
        0
    }

    /// Client: how many streams may be opened now.
    pub fn available_streams(&self) -> usize {
        0
    }

    /// Client: sends a request head on a new stream.
    ///
    /// # Errors
    /// When the peer takes no new stream now.
    pub fn open(
        &mut self,
        _head: &RequestHead,
        _end: bool,
        _tag: Tag,
        _out: &mut Vec<u8>,
    ) -> Result<StreamId, OpenError> {
        Err(OpenError::Full)
    }

    /// Server: sends an interim or final response head. A final one with `end` ends the message.
    ///
    /// # Errors
    /// When the stream is gone.
    pub fn respond(
        &mut self,
        _stream: StreamId,
        _head: &ResponseHead,
        _end: bool,
        _out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        Ok(())
    }

    /// Sends body bytes, as many as flow control allows, and gives their number. `end` takes effect
    /// when all of them were taken. What was not taken is the caller's to keep; the stream then comes
    /// up in [`Self::next_writable`] when there is room.
    ///
    /// # Errors
    /// When the stream is gone.
    pub fn send_data(
        &mut self,
        _stream: StreamId,
        _bytes: &[u8],
        _end: bool,
        _out: &mut Vec<u8>,
    ) -> Result<usize, SendError> {
        Ok(0)
    }

    /// Ends the message with trailers.
    ///
    /// # Errors
    /// When the stream is gone.
    pub fn send_trailers(
        &mut self,
        _stream: StreamId,
        _trailers: &Fields,
        _out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        Ok(())
    }

    /// Gives up a stream, in both directions. It is gone afterwards, without a further event.
    /// HTTP/1: the connection can only be closed then ([`Self::must_close`]).
    pub fn reset(&mut self, _stream: StreamId, _code: ErrorCode, _out: &mut Vec<u8>) {}

    /// The owner has passed on `flow_bytes` of received body: the peer may send as much again.
    pub fn release(&mut self, _stream: StreamId, _flow_bytes: u32, _out: &mut Vec<u8>) {}

    /// A stream that `send_data` left blocked and that has room now, each once, fairly in turn.
    pub fn next_writable(&mut self) -> Option<(StreamId, Tag)> {
        None
    }

    /// Asks for an answer (PING). HTTP/1: nothing.
    pub fn ping(&mut self, _payload: [u8; 8], _out: &mut Vec<u8>) {}

    /// Server: first phase of a graceful end. New requests are still taken until `refuse_new`.
    /// HTTP/2: GOAWAY(2^31-1). HTTP/1: the next response carries `connection: close`.
    pub fn announce_close(&mut self, _out: &mut Vec<u8>) {}

    /// Second phase: GOAWAY with the last stream really taken; later streams are refused.
    pub fn refuse_new(&mut self, _code: ErrorCode, _out: &mut Vec<u8>) {}

    /// Nothing more will happen here once `out` is flushed: close the connection.
    pub fn must_close(&self) -> bool {
        false
    }

    /// Which end we are.
    pub fn role(&self) -> Role {
        self.role
    }
}
