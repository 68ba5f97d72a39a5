//! What a connection speaks, behind one face: HTTP by the codec, or WebSocket.
//!
//! The worker asks for streams and gets events, whatever is below. Never does I/O.

use bulkhead_codec::{
    Codec, ConnectionError, ErrorCode, Event, Heads, OpenError, Role, SendError, StreamId, Tag,
    http1, http2,
};
use bulkhead_message::RequestHead;

use crate::options::{Protocol, TargetOptions};
use crate::websocket::WebSocket;

/// A connection's protocol. The methods are those of [`http2::Connection`], which see.
#[derive(Debug)]
pub(crate) enum Wire {
    Http(Codec),
    WebSocket(Box<WebSocket>),
}

macro_rules! either {
    ($self:ident, $wire:ident => $call:expr) => {
        match $self {
            Wire::Http($wire) => $call,
            Wire::WebSocket($wire) => $call,
        }
    };
}

impl Wire {
    /// The one that the target asks for.
    pub(crate) fn new(options: &TargetOptions) -> Self {
        match options.protocol {
            Protocol::Http1 => {
                let settings = http1::Settings::default();
                let connection = http1::Connection::new(Role::Client, &settings);
                Self::Http(Codec::Http1(Box::new(connection)))
            }
            Protocol::Http2 => {
                let settings = http2::Settings {
                    stream_window_bytes: 1 << 20,
                    connection_window_bytes: 16 << 20,
                    ..http2::Settings::default()
                };
                let connection = http2::Connection::new(Role::Client, &settings);
                Self::Http(Codec::Http2(Box::new(connection)))
            }
            Protocol::WebSocket => Self::WebSocket(Box::new(WebSocket::new(options))),
        }
    }

    pub(crate) fn start(&mut self, out: &mut Vec<u8>) {
        either!(self, wire => wire.start(out));
    }

    #[inline]
    pub(crate) fn next_event<'a>(
        &mut self,
        input: &mut &'a [u8],
        heads: &mut Heads,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'a>>, ConnectionError> {
        either!(self, wire => wire.next_event(input, heads, out))
    }

    pub(crate) fn end_of_input(
        &mut self,
        rest: &[u8],
    ) -> Result<Option<Event<'static>>, ConnectionError> {
        match self {
            Self::Http(codec) => codec.end_of_input(rest),
            // A message ends with its last frame, never with the connection.
            Self::WebSocket(_) => Ok(None),
        }
    }

    pub(crate) fn for_each_stream(&mut self, visit: impl FnMut(StreamId, &mut Tag)) {
        either!(self, wire => wire.for_each_stream(visit));
    }

    pub(crate) fn active_streams(&self) -> usize {
        either!(self, wire => wire.active_streams())
    }

    pub(crate) fn available_streams(&self) -> usize {
        either!(self, wire => wire.available_streams())
    }

    pub(crate) fn open(
        &mut self,
        head: &RequestHead,
        end: bool,
        tag: Tag,
        out: &mut Vec<u8>,
    ) -> Result<StreamId, OpenError> {
        match self {
            Self::Http(codec) => codec.open(head, end, tag, out),
            Self::WebSocket(socket) => socket.open(end, tag, out),
        }
    }

    pub(crate) fn send_data(
        &mut self,
        stream: StreamId,
        bytes: &[u8],
        end: bool,
        out: &mut Vec<u8>,
    ) -> Result<usize, SendError> {
        match self {
            Self::Http(codec) => codec.send_data(stream, bytes, end, out),
            Self::WebSocket(socket) => {
                socket.send(bytes, out);
                Ok(bytes.len())
            }
        }
    }

    pub(crate) fn reset(&mut self, stream: StreamId, code: ErrorCode, out: &mut Vec<u8>) {
        match self {
            Self::Http(codec) => codec.reset(stream, code, out),
            Self::WebSocket(socket) => socket.abandon(stream),
        }
    }

    pub(crate) fn release(&mut self, stream: StreamId, flow_bytes: u32, out: &mut Vec<u8>) {
        if let Self::Http(codec) = self {
            codec.release(stream, flow_bytes, out);
        }
    }

    pub(crate) fn next_writable(&mut self) -> Option<(StreamId, Tag)> {
        match self {
            Self::Http(codec) => codec.next_writable(),
            Self::WebSocket(_) => None,
        }
    }

    pub(crate) fn must_close(&self) -> bool {
        either!(self, wire => wire.must_close())
    }

    pub(crate) const fn is_http2(&self) -> bool {
        matches!(self, Self::Http(codec) if codec.is_http2())
    }

    /// Whether the peer has to agree to the protocol before there can be requests. Then
    /// [`Event::Ready`] says that it did.
    pub(crate) const fn must_upgrade(&self) -> bool {
        matches!(self, Self::WebSocket(_))
    }

    /// Whether it takes no new requests since one was given up, and others may still be answered.
    pub(crate) const fn is_spoilt(&self) -> bool {
        matches!(self, Self::WebSocket(socket) if socket.is_closing())
    }

    /// Why the peer did not agree, if that is known.
    pub(crate) fn refusal(&mut self) -> Option<String> {
        match self {
            Self::Http(_) => None,
            Self::WebSocket(socket) => socket.take_refusal(),
        }
    }

    /// Says that the connection is over, where the protocol has a word for it.
    pub(crate) fn say_goodbye(&mut self, out: &mut Vec<u8>) {
        if let Self::WebSocket(socket) = self {
            socket.say_goodbye(out);
        }
    }
}
