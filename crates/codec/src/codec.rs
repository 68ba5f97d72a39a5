//! One face for both protocols.

use bulkhead_message::{Fields, RequestHead, ResponseHead};

use crate::{
    ConnectionError, ErrorCode, Event, Heads, OpenError, SendError, StreamId, Tag, http1, http2,
};

/// A connection of either protocol. The methods are those of [`http2::Connection`], which see.
#[derive(Debug)]
pub enum Codec {
    /// HTTP/1.x
    Http1(Box<http1::Connection>),
    /// HTTP/2
    Http2(Box<http2::Connection>),
}

macro_rules! either {
    ($self:ident, $connection:ident => $call:expr) => {
        match $self {
            Codec::Http1($connection) => $call,
            Codec::Http2($connection) => $call,
        }
    };
}

#[allow(missing_docs, clippy::missing_errors_doc, reason = "documented at http2::Connection")]
impl Codec {
    pub fn start(&mut self, out: &mut Vec<u8>) {
        either!(self, c => c.start(out));
    }

    #[inline]
    pub fn next_event<'a>(
        &mut self,
        input: &mut &'a [u8],
        heads: &mut Heads,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'a>>, ConnectionError> {
        either!(self, c => c.next_event(input, heads, out))
    }

    pub fn end_of_input(&mut self, rest: &[u8]) -> Result<Option<Event<'static>>, ConnectionError> {
        either!(self, c => c.end_of_input(rest))
    }

    pub fn set_tag(&mut self, stream: StreamId, tag: Tag) {
        either!(self, c => c.set_tag(stream, tag));
    }

    pub fn for_each_stream(&mut self, visit: impl FnMut(StreamId, &mut Tag)) {
        either!(self, c => c.for_each_stream(visit));
    }

    pub fn active_streams(&self) -> usize {
        either!(self, c => c.active_streams())
    }

    pub fn available_streams(&self) -> usize {
        either!(self, c => c.available_streams())
    }

    pub fn open(
        &mut self,
        head: &RequestHead,
        end: bool,
        tag: Tag,
        out: &mut Vec<u8>,
    ) -> Result<StreamId, OpenError> {
        either!(self, c => c.open(head, end, tag, out))
    }

    pub fn respond(
        &mut self,
        stream: StreamId,
        head: &ResponseHead,
        end: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        either!(self, c => c.respond(stream, head, end, out))
    }

    pub fn send_data(
        &mut self,
        stream: StreamId,
        bytes: &[u8],
        end: bool,
        out: &mut Vec<u8>,
    ) -> Result<usize, SendError> {
        either!(self, c => c.send_data(stream, bytes, end, out))
    }

    pub fn send_trailers(
        &mut self,
        stream: StreamId,
        trailers: &Fields,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        either!(self, c => c.send_trailers(stream, trailers, out))
    }

    pub fn reset(&mut self, stream: StreamId, code: ErrorCode, out: &mut Vec<u8>) {
        either!(self, c => c.reset(stream, code, out));
    }

    pub fn release(&mut self, stream: StreamId, flow_bytes: u32, out: &mut Vec<u8>) {
        either!(self, c => c.release(stream, flow_bytes, out));
    }

    pub fn next_writable(&mut self) -> Option<(StreamId, Tag)> {
        either!(self, c => c.next_writable())
    }

    pub fn ping(&mut self, payload: [u8; 8], out: &mut Vec<u8>) {
        either!(self, c => c.ping(payload, out));
    }

    pub fn announce_close(&mut self, out: &mut Vec<u8>) {
        either!(self, c => c.announce_close(out));
    }

    pub fn refuse_new(&mut self, code: ErrorCode, out: &mut Vec<u8>) {
        either!(self, c => c.refuse_new(code, out));
    }

    pub fn must_close(&self) -> bool {
        either!(self, c => c.must_close())
    }

    /// What happened on single streams since the last call; HTTP/1 has none.
    #[inline]
    pub fn take_counters(&mut self) -> Option<http2::Counters> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(connection) => connection.take_counters(),
        }
    }

    pub const fn is_http2(&self) -> bool {
        matches!(self, Self::Http2(_))
    }
}
