//! The connection state machine: what is known between two calls, and the small calls.
//!
//! One exchange at a time. A pipelined request stays in the owner's input, untouched, until the
//! exchange before it has ended in both directions.

use bulkhead_message::{Fields, RequestHead, ResponseHead};

use crate::{ConnectionError, ErrorCode, Event, Heads, OpenError, Role, SendError, StreamId, Tag};

use super::receive::Receive;
use super::response::Asked;
use super::send::Send;

/// Limits and policy of one HTTP/1 connection. Sizes in bytes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Largest request or response head, start line included (default 65,536).
    pub head_bytes_max: usize,
    /// Most fields in a head or trailer section (default 128).
    pub fields_max: usize,
    /// Longest request target (default 16,384).
    pub target_bytes_max: usize,
    /// Scheme of requests in origin form.
    pub scheme: bulkhead_message::Scheme,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            head_bytes_max: 65_536,
            fields_max: 128,
            target_bytes_max: 16_384,
            scheme: bulkhead_message::Scheme::Http,
        }
    }
}

/// What the request of the exchange says about how its response is to be framed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Request {
    /// Whether a response may have a body.
    pub(super) asked: Asked,
    /// HTTP/1.0: knows no chunks and no interim responses.
    pub(super) http10: bool,
    /// HTTP/1.0 with `connection: keep-alive`: must be told that we agree.
    pub(super) keep_alive: bool,
    /// `te: trailers`.
    pub(super) trailers: bool,
    /// Asks for an upgrade, and has no body in which that could come too early.
    pub(super) upgrade: bool,
    /// `expect: 100-continue`, neither answered by a 100 nor made moot by the body's arrival.
    pub(super) awaits_continue: bool,
}

/// One connection. Plain data: `Send`, movable between threads at any moment between two calls.
#[derive(Debug)]
pub struct Connection {
    pub(super) role: Role,
    pub(super) settings: Settings,
    /// The live stream, or the last one; 0 before the first.
    pub(super) stream: StreamId,
    pub(super) tag: Tag,
    /// An exchange is under way.
    pub(super) live: bool,
    pub(super) receive: Receive,
    pub(super) send: Send,
    pub(super) request: Request,
    /// The connection ends with the exchange under way, or now if there is none.
    pub(super) closing: bool,
    /// No exchange begins any more.
    pub(super) ended: bool,
    /// Broken, or given up by `reset`: nothing is read or written any more.
    pub(super) failed: bool,
    /// The peer has closed its sending half; what it sent before may still be in the input.
    pub(super) end_seen: bool,
    /// How much of the input was seen by an attempt to decode a head that was not whole.
    pub(super) seen_bytes: usize,
    /// Empty lines skipped before a request line.
    pub(super) empty_lines: u8,
    /// Interim responses received to the request under way.
    pub(super) interims: u8,
    /// Bytes of chunk extensions in the message under way.
    pub(super) extension_bytes: u32,
}

impl Connection {
    /// A connection at its beginning.
    pub fn new(role: Role, settings: &Settings) -> Self {
        Self {
            role,
            settings: settings.clone(),
            stream: 0,
            tag: 0,
            live: false,
            receive: Receive::Idle,
            send: Send::Idle,
            request: Request::default(),
            closing: false,
            ended: false,
            failed: false,
            end_seen: false,
            seen_bytes: 0,
            empty_lines: 0,
            interims: 0,
            extension_bytes: 0,
        }
    }

    /// Writes what this side sends first (HTTP/2: preface, SETTINGS, WINDOW_UPDATE. HTTP/1: nothing).
    pub fn start(&mut self, _out: &mut Vec<u8>) {}

    /// Decodes the next event from the front of `input` and advances it past what was consumed.
    /// `None`: nothing more can be decoded; the caller keeps what is left of `input` and calls again
    /// with more bytes behind it (HTTP/2: an incomplete frame; HTTP/1: an incomplete head or chunk
    /// line, or a pipelined request whose turn has not come).
    ///
    /// A pipelined request waits until the response before it was ended by the owner and the body
    /// before it was read to its end: call again after either.
    ///
    /// # Errors
    /// When the connection cannot go on. If no final response head was written yet, a complete
    /// answer with `connection: close` has been appended to `out`, and its status is in the error.
    #[inline]
    pub fn next_event<'a>(
        &mut self,
        input: &mut &'a [u8],
        heads: &mut Heads,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'a>>, ConnectionError> {
        match self.receive_next(input, heads) {
            Ok(event) => Ok(event),
            Err(reject) => Err(self.fail(reject, out)),
        }
    }

    /// The peer closed its sending half after `rest` (what the last call left). HTTP/1 client: a body
    /// that lasts until the close ends well here. To be called until it gives `None`.
    ///
    /// Server: requests that were whole before the end are still decoded and answered; the
    /// connection must be closed after the last of them.
    ///
    /// # Errors
    /// When a message was cut off. Nothing is written then: the peer may be gone altogether.
    pub fn end_of_input(&mut self, rest: &[u8]) -> Result<Option<Event<'static>>, ConnectionError> {
        match self.receive_end(rest) {
            Ok(event) => Ok(event),
            Err(reject) => {
                self.failed = true;
                Err(reject.into_error(0))
            }
        }
    }

    /// Attaches the owner's word to a stream.
    pub fn set_tag(&mut self, stream: StreamId, tag: Tag) {
        if self.live && self.stream == stream {
            self.tag = tag;
        }
    }

    /// Calls `visit` with each live stream and its tag (evacuation, failure of the connection).
    pub fn for_each_stream(&mut self, mut visit: impl FnMut(StreamId, &mut Tag)) {
        if self.live {
            visit(self.stream, &mut self.tag);
        }
    }

    /// Number of live streams.
    pub fn active_streams(&self) -> usize {
        usize::from(self.live)
    }

    /// Client: how many streams may be opened now: one, if the connection is idle and can be used
    /// again.
    pub fn available_streams(&self) -> usize {
        usize::from(self.role == Role::Client && !self.live && !self.must_close())
    }

    /// Client: sends a request head on a new stream.
    ///
    /// The codec writes `host`, framing and connection fields itself and skips those in the head.
    ///
    /// # Errors
    /// [`OpenError::Full`] while an exchange is under way. [`OpenError::Closing`] when the connection
    /// can take no request any more, and also when HTTP/1 cannot express the head (a control
    /// character or an extended CONNECT): nothing is written then, and the connection stays usable.
    ///
    /// A head with `protocol` is sent as an upgrade to it, and like CONNECT has no body. After a 101,
    /// or a 2xx to CONNECT, bytes go both ways as data; before it nothing can be sent.
    pub fn open(
        &mut self,
        head: &RequestHead,
        end: bool,
        tag: Tag,
        out: &mut Vec<u8>,
    ) -> Result<StreamId, OpenError> {
        self.send_request(head, end, tag, out)
    }

    /// Server: sends an interim or final response head. A final one with `end` ends the message.
    /// Interim heads are left out towards an HTTP/1.0 client. 101 is final, names the protocol in
    /// `upgrade`, and makes the connection a tunnel, as a 2xx to CONNECT does.
    ///
    /// # Errors
    /// [`SendError::Closed`] when the stream is gone or a final head was sent,
    /// [`SendError::Invalid`] when the head cannot be written, or is a 101 that nobody asked for;
    /// nothing is written then.
    pub fn respond(
        &mut self,
        stream: StreamId,
        head: &ResponseHead,
        end: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.send_response(stream, head, end, out)
    }

    /// Sends body bytes, all of them (HTTP/1 has no flow control of its own), and gives their number.
    /// Body of a response that can have none (`HEAD`, 204, 304) is taken and thrown away. Ending
    /// short of the declared length makes [`Self::must_close`] true.
    ///
    /// # Errors
    /// [`SendError::Closed`] when the stream is gone or the message was ended,
    /// [`SendError::Invalid`] when more than the declared length is sent; nothing is written then.
    pub fn send_data(
        &mut self,
        stream: StreamId,
        bytes: &[u8],
        end: bool,
        out: &mut Vec<u8>,
    ) -> Result<usize, SendError> {
        self.send_body(stream, bytes, end, out)
    }

    /// Ends the message with trailers. They are written only into a chunked body, and in a response
    /// only to a client that sent `te: trailers`: to any other they are left out, since it, or a
    /// proxy before it, may not expect them (RFC 9110 §6.5.1).
    ///
    /// # Errors
    /// As for [`Self::send_data`].
    pub fn send_trailers(
        &mut self,
        stream: StreamId,
        trailers: &Fields,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.send_end(stream, trailers, out)
    }

    /// Gives up a stream, in both directions. It is gone afterwards, without a further event.
    /// HTTP/1: the connection can only be closed then ([`Self::must_close`]).
    pub fn reset(&mut self, stream: StreamId, _code: ErrorCode, _out: &mut Vec<u8>) {
        if self.live && self.stream == stream {
            self.live = false;
            self.failed = true;
        }
    }

    /// The owner has passed on `flow_bytes` of received body. HTTP/1: nothing.
    pub fn release(&mut self, _stream: StreamId, _flow_bytes: u32, _out: &mut Vec<u8>) {}

    /// A stream that `send_data` left blocked and that has room now. HTTP/1: never one.
    pub fn next_writable(&mut self) -> Option<(StreamId, Tag)> {
        None
    }

    /// Asks for an answer (PING). HTTP/1: nothing.
    pub fn ping(&mut self, _payload: [u8; 8], _out: &mut Vec<u8>) {}

    /// First phase of a graceful end: the response under way, if its head was not sent yet, carries
    /// `connection: close` and is the last. An idle connection [`must close`](Self::must_close) at
    /// once; a request that the owner had already read may still be decoded and is answered.
    pub fn announce_close(&mut self, _out: &mut Vec<u8>) {
        self.closing = true;
    }

    /// Second phase: as [`Self::announce_close`], and no further request is decoded.
    pub fn refuse_new(&mut self, _code: ErrorCode, _out: &mut Vec<u8>) {
        self.closing = true;
        self.ended |= !self.live;
    }

    /// Nothing more will happen here once `out` is flushed: close the connection.
    pub fn must_close(&self) -> bool {
        self.failed || self.ended || (self.closing && !self.live)
    }

    /// Which end we are.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Begins the next exchange.
    pub(super) fn begin(&mut self, tag: Tag, request: Request, receive: Receive, send: Send) {
        self.stream = if self.stream == 0 { 1 } else { self.stream.wrapping_add(2) };
        self.tag = tag;
        self.live = true;
        self.request = request;
        self.receive = receive;
        self.send = send;
        self.seen_bytes = 0;
        self.empty_lines = 0;
        self.interims = 0;
        self.extension_bytes = 0;
    }

    /// Draws the conclusions after either half of the exchange has ended.
    pub(super) fn settle(&mut self) {
        let answered = match self.role {
            Role::Server => self.send == Send::Done,
            Role::Client => self.receive == Receive::Done,
        };
        // The response is the last word: the rest of a request is not waited for before a close. A
        // tunnel goes on until both halves have ended.
        self.ended |= answered && self.closing && !self.is_tunnel();
        if self.send == Send::Done && self.receive == Receive::Done {
            self.live = false;
            self.receive = Receive::Idle;
            self.send = Send::Idle;
        }
    }

    #[cold]
    fn fail(&mut self, reject: super::reject::Reject, out: &mut Vec<u8>) -> ConnectionError {
        let may_answer =
            self.role == Role::Server && (!self.live || self.send == Send::Head) && !self.failed;
        self.failed = true;
        if may_answer {
            reject.answer(!(self.live && self.request.asked == Asked::Head), out);
        }
        reject.into_error(if may_answer { reject.status } else { 0 })
    }
}
