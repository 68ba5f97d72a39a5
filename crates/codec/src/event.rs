//! The vocabulary that both protocols share.

use bulkhead_message::{Fields, RequestHead, ResponseHead};

/// Which end of the connection we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We accept requests.
    Server,
    /// We make requests.
    Client,
}

/// Number of a stream on its connection. HTTP/1.1 counts its messages 1, 3, 5, … as HTTP/2 would.
pub type StreamId = u32;

/// A word that the owner attaches to a stream and gets back with each of its events.
/// The codec never looks at it.
pub type Tag = u64;

/// Where heads and trailers are decoded to. The owner swaps a finished head out (`mem::swap`) and
/// leaves a recycled one in, so that no head is ever copied or allocated in steady state.
#[derive(Debug, Default)]
pub struct Heads {
    /// Target of [`Event::Request`].
    pub request: RequestHead,
    /// Target of [`Event::Response`].
    pub response: ResponseHead,
    /// Target of [`Event::Trailers`].
    pub trailers: Fields,
}

/// What the peer did. Slices borrow from the input that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Server: a request begins; its head is in [`Heads::request`]. Attach a tag with `set_tag`.
    /// With `end`, no body follows.
    Request {
        /// The new stream.
        stream: StreamId,
        /// No body follows.
        end: bool,
    },
    /// Client: an interim (1xx) or final response head is in [`Heads::response`].
    Response {
        /// Stream of the request.
        stream: StreamId,
        /// Its tag.
        tag: Tag,
        /// No body follows.
        end: bool,
    },
    /// A piece of body. The owner calls `release(stream, flow_bytes)` when the piece has left its
    /// buffers; only then is the peer allowed to send as much again.
    Data {
        /// Stream of the message.
        stream: StreamId,
        /// Its tag.
        tag: Tag,
        /// The piece; may be empty when `end` is set.
        bytes: &'a [u8],
        /// What it cost the receive window (padding counts). 0 for HTTP/1.
        flow_bytes: u32,
        /// The message ends here.
        end: bool,
    },
    /// The message ends with these trailers, in [`Heads::trailers`]. They may be empty.
    Trailers {
        /// Stream of the message.
        stream: StreamId,
        /// Its tag.
        tag: Tag,
    },
    /// The peer gave up a stream (RST_STREAM), or the codec refused it and has told the peer so.
    /// The stream is gone.
    Reset {
        /// The stream.
        stream: StreamId,
        /// Its tag.
        tag: Tag,
        /// Why.
        code: ErrorCode,
        /// True if the peer sent it; false if the codec refused what the peer did on this stream.
        by_peer: bool,
    },
    /// The peer will take no new streams on this connection. Client: each own stream above
    /// `last_stream` was not processed, is gone, and is reported by a `Reset` with
    /// [`ErrorCode::REFUSED_STREAM`] before or after this event.
    GoAway {
        /// Highest stream the peer may have processed.
        last_stream: StreamId,
        /// Why.
        code: ErrorCode,
    },
    /// Client: the peer's settings arrived for the first time; `open` may allow more or fewer streams.
    Ready,
    /// The peer answered our `ping` with these bytes.
    Pong([u8; 8]),
}

/// Error codes of HTTP/2 (RFC 9113 §7). HTTP/1 uses the ones that fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// Graceful.
    pub const NO_ERROR: Self = Self(0);
    /// Protocol violated.
    pub const PROTOCOL_ERROR: Self = Self(1);
    /// We failed.
    pub const INTERNAL_ERROR: Self = Self(2);
    /// Flow-control limits were exceeded.
    pub const FLOW_CONTROL_ERROR: Self = Self(3);
    /// Settings were not acknowledged.
    pub const SETTINGS_TIMEOUT: Self = Self(4);
    /// Frame on a half-closed stream.
    pub const STREAM_CLOSED: Self = Self(5);
    /// Frame size wrong.
    pub const FRAME_SIZE_ERROR: Self = Self(6);
    /// Not processed.
    pub const REFUSED_STREAM: Self = Self(7);
    /// No longer wanted.
    pub const CANCEL: Self = Self(8);
    /// HPACK state lost.
    pub const COMPRESSION_ERROR: Self = Self(9);
    /// CONNECT failed.
    pub const CONNECT_ERROR: Self = Self(10);
    /// The peer is generating excessive load.
    pub const ENHANCE_YOUR_CALM: Self = Self(11);
    /// TLS too weak.
    pub const INADEQUATE_SECURITY: Self = Self(12);
    /// Use HTTP/1.1.
    pub const HTTP_1_1_REQUIRED: Self = Self(13);
}

/// The connection cannot go on. What is to be told to the peer (GOAWAY, or a 4xx answer) is already
/// in `out`: flush it, then close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ConnectionError {
    /// HTTP/2 code that fits.
    pub code: ErrorCode,
    /// HTTP/1: status of the answer that was written (server role), 0 if none.
    pub status: u16,
    /// What was wrong, fixed text.
    pub reason: &'static str,
}

/// Why no stream could be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// As many streams are open as the peer allows (HTTP/1: one).
    #[error("the peer's stream limit is reached")]
    Full,
    /// The connection is going away or out of stream ids.
    #[error("the connection takes no new streams")]
    Closing,
    /// Extended CONNECT: the peer's settings, which tell whether it takes any, are not here yet; they
    /// come with [`Event::Ready`].
    #[error("the peer's settings have not come yet")]
    SettingsAwaited,
    /// Extended CONNECT: the peer does not take any.
    #[error("the peer does not offer extended CONNECT")]
    NotOffered,
}

/// Why something could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The stream is gone or its sending half is closed.
    #[error("the stream is closed")]
    Closed,
    /// The message cannot be expressed in this protocol (for example a body longer than declared).
    #[error("{0}")]
    Invalid(&'static str),
}
