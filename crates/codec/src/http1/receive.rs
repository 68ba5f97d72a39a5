//! Bytes → events: whose turn it is, bodies, and the end of input.

use crate::{Event, Heads, Role};

use super::connection::{Connection, Request};
use super::fields::{self, Delimited};
use super::reject::Reject;
use super::response::{Asked, Body};
use super::send::Send;
use super::{chunk, request, response};

/// Most empty lines before a request line (RFC 9112 §2.2 asks for at least one).
const EMPTY_LINES_MAX: u8 = 4;

/// Most interim responses to one request.
const INTERIMS_MAX: u8 = 32;

/// What is expected next from the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Receive {
    /// No exchange is under way. Server: a request head. Client: nothing.
    Idle,
    /// Client: a response head.
    Head,
    /// So many bytes of body, at least one.
    Length(u64),
    /// A chunk-size line.
    ChunkSize,
    /// So many bytes of a chunk, at least one.
    Chunk(u64),
    /// The line end after a chunk's data.
    ChunkEnd,
    /// The trailer section.
    Trailers,
    /// Client: body until the connection ends.
    UntilClose,
    /// Bytes of a tunnel, until the connection ends.
    Tunnel,
    /// The message was read whole.
    Done,
}

impl Connection {
    #[inline]
    pub(super) fn receive_next<'a>(
        &mut self,
        input: &mut &'a [u8],
        heads: &mut Heads,
    ) -> Result<Option<Event<'a>>, Reject> {
        if self.failed || (self.ended && !self.live) {
            return Ok(None);
        }
        let event = match self.receive {
            Receive::Idle => self.receive_idle(input, heads)?,
            Receive::Head => self.receive_response(input, heads)?,
            Receive::Length(left) => self.receive_length(input, left),
            Receive::UntilClose | Receive::Tunnel => self.receive_until_close(input),
            Receive::Done => {
                // Server: the next request waits for its turn. Client: nothing can follow.
                if self.role == Role::Client && !input.is_empty() && !self.ended {
                    return Err(Reject::bad("bytes after the response"));
                }
                None
            }
            _ => self.receive_chunked(input, heads)?,
        };
        if self.end_seen {
            self.check_end(input, event.is_some())?;
        }
        Ok(event)
    }

    fn receive_idle<'a>(
        &mut self,
        input: &mut &'a [u8],
        heads: &mut Heads,
    ) -> Result<Option<Event<'a>>, Reject> {
        if self.role == Role::Client {
            return if input.is_empty() {
                Ok(None)
            } else {
                Err(Reject::bad("unsolicited response"))
            };
        }
        if !self.skip_empty_lines(input)? || !self.is_worth_decoding(input) {
            return Ok(None);
        }
        let Some(decoded) = request::decode(input, &self.settings, &mut heads.request)? else {
            self.seen_bytes = input.len();
            return Ok(None);
        };
        *input = input.get(decoded.bytes..).unwrap_or(&[]);
        let (receive, end) = match decoded.body {
            Delimited::Unsaid | Delimited::Length(0) => (Receive::Done, true),
            Delimited::Length(length) => (Receive::Length(length), false),
            Delimited::Chunked => (Receive::ChunkSize, false),
        };
        let http10 = heads.request.version == bulkhead_message::Version::Http10;
        let framing = decoded.framing;
        let asked = Asked::by(heads.request.method());
        if asked == Asked::Connect && !end {
            return Err(Reject::bad("CONNECT with a body"));
        }
        // Who is refused a tunnel may have begun to use it: no request is looked for behind CONNECT.
        self.closing |= framing.close || (http10 && !framing.keep_alive) || asked == Asked::Connect;
        let request = Request {
            asked,
            http10,
            keep_alive: http10 && framing.keep_alive,
            trailers: framing.te_trailers,
            upgrade: framing.asks_upgrade() && end && !http10,
            awaits_continue: framing.expect_continue && !http10 && !end,
        };
        self.begin(0, request, receive, Send::Head);
        Ok(Some(Event::Request { stream: self.stream, end }))
    }

    /// Whether something is left to decode after the empty lines.
    fn skip_empty_lines(&mut self, input: &mut &[u8]) -> Result<bool, Reject> {
        while let [b'\r', b'\n', rest @ ..] = *input {
            if self.empty_lines == EMPTY_LINES_MAX {
                return Err(Reject::bad("too many empty lines before the request"));
            }
            self.empty_lines += 1;
            self.seen_bytes = 0;
            *input = rest;
        }
        match *input {
            [] | [b'\r'] => Ok(false),
            [b'\r' | b'\n', ..] => Err(Reject::bad("bare CR or LF before the request")),
            _ => Ok(true),
        }
    }

    /// Whether decoding can get further than the last time: an attempt is made only when a line has
    /// been completed, so that a head which trickles in is not read again for each byte. Before the
    /// first line is whole every attempt is allowed: it is bounded by the length of the target.
    fn is_worth_decoding(&self, input: &[u8]) -> bool {
        let (seen, new) = input.split_at_checked(self.seen_bytes).unwrap_or((&[], input));
        seen.is_empty()
            || input.len() >= self.settings.head_bytes_max
            || memchr::memchr(b'\n', new).is_some()
            || memchr::memchr(b'\n', seen).is_none()
    }

    fn receive_response<'a>(
        &mut self,
        input: &mut &'a [u8],
        heads: &mut Heads,
    ) -> Result<Option<Event<'a>>, Reject> {
        if input.is_empty() || !self.is_worth_decoding(input) {
            return Ok(None);
        }
        let head = &mut heads.response;
        let Some(decoded) = response::decode(input, self.request.asked, &self.settings, head)?
        else {
            self.seen_bytes = input.len();
            return Ok(None);
        };
        *input = input.get(decoded.bytes..).unwrap_or(&[]);
        self.seen_bytes = 0;
        let (stream, tag) = (self.stream, self.tag);
        if head.is_interim() && head.status != 101 {
            if self.interims == INTERIMS_MAX {
                return Err(Reject::bad("too many interim responses"));
            }
            self.interims += 1;
            return Ok(Some(Event::Response { stream, tag, end: false }));
        }
        let http10 = head.version == bulkhead_message::Version::Http10;
        self.closing |= decoded.framing.close || (http10 && !decoded.framing.keep_alive);
        if self.agrees(head.status) {
            self.become_tunnel();
            return Ok(Some(Event::Response { stream, tag, end: false }));
        }
        // A 101 that nobody asked for: whatever follows is not HTTP.
        self.closing |= head.status == 101;
        if self.send == Send::Handshake {
            self.send = Send::Done;
        }
        self.receive = match decoded.body {
            Body::None | Body::Length(0) => Receive::Done,
            Body::Length(length) => Receive::Length(length),
            Body::Chunked => Receive::ChunkSize,
            Body::UntilClose => {
                self.closing = true;
                Receive::UntilClose
            }
        };
        let end = self.receive == Receive::Done;
        if end {
            self.settle();
        }
        Ok(Some(Event::Response { stream, tag, end }))
    }

    #[inline]
    fn receive_length<'a>(&mut self, input: &mut &'a [u8], left: u64) -> Option<Event<'a>> {
        let (bytes, left) = take(input, left)?;
        self.request.awaits_continue = false;
        self.receive = if left == 0 { Receive::Done } else { Receive::Length(left) };
        Some(self.data(bytes, left == 0))
    }

    fn receive_until_close<'a>(&mut self, input: &mut &'a [u8]) -> Option<Event<'a>> {
        let (bytes, _) = take(input, u64::MAX)?;
        Some(self.data(bytes, false))
    }

    fn receive_chunked<'a>(
        &mut self,
        input: &mut &'a [u8],
        heads: &mut Heads,
    ) -> Result<Option<Event<'a>>, Reject> {
        loop {
            match self.receive {
                Receive::ChunkSize => {
                    let Some(line) = chunk::size_line(input)? else { return Ok(None) };
                    self.request.awaits_continue = false;
                    self.extension_bytes =
                        self.extension_bytes.saturating_add(line.extension_bytes);
                    if self.extension_bytes > chunk::EXTENSION_BYTES_MAX {
                        return Err(Reject::bad("too many chunk extensions"));
                    }
                    *input = input.get(line.line_bytes..).unwrap_or(&[]);
                    self.seen_bytes = 0;
                    self.receive = match line.size {
                        0 => Receive::Trailers,
                        size => Receive::Chunk(size),
                    };
                }
                Receive::Chunk(left) => {
                    let Some((bytes, left)) = take(input, left) else { return Ok(None) };
                    let mut end = false;
                    self.receive = if left > 0 {
                        Receive::Chunk(left)
                    } else if let Some(rest) = input.strip_prefix(b"\r\n0\r\n\r\n") {
                        // The usual end came along: one event instead of two.
                        *input = rest;
                        end = true;
                        Receive::Done
                    } else {
                        Receive::ChunkEnd
                    };
                    return Ok(Some(self.data(bytes, end)));
                }
                Receive::ChunkEnd => match *input {
                    [b'\r', b'\n', rest @ ..] => {
                        *input = rest;
                        self.receive = Receive::ChunkSize;
                    }
                    [] | [b'\r'] => return Ok(None),
                    _ => return Err(Reject::bad("no line end after chunk data")),
                },
                _ => return self.receive_trailers(input, heads),
            }
        }
    }

    fn receive_trailers<'a>(
        &mut self,
        input: &mut &'a [u8],
        heads: &mut Heads,
    ) -> Result<Option<Event<'a>>, Reject> {
        if !self.is_worth_decoding(input) {
            return Ok(None);
        }
        let (bytes_max, fields_max) = (self.settings.head_bytes_max, self.settings.fields_max);
        let Some(bytes) = fields::trailers(input, bytes_max, fields_max, &mut heads.trailers)?
        else {
            self.seen_bytes = input.len();
            return Ok(None);
        };
        *input = input.get(bytes..).unwrap_or(&[]);
        self.seen_bytes = 0;
        self.receive = Receive::Done;
        if heads.trailers.is_empty() {
            return Ok(Some(self.data(&[], true)));
        }
        let (stream, tag) = (self.stream, self.tag);
        self.settle();
        Ok(Some(Event::Trailers { stream, tag }))
    }

    #[inline]
    fn data<'a>(&mut self, bytes: &'a [u8], end: bool) -> Event<'a> {
        let (stream, tag) = (self.stream, self.tag);
        if end {
            self.settle();
        }
        Event::Data { stream, tag, bytes, flow_bytes: 0, end }
    }

    pub(super) fn receive_end(&mut self, rest: &[u8]) -> Result<Option<Event<'static>>, Reject> {
        if self.failed {
            return Ok(None);
        }
        match self.receive {
            Receive::Idle => {
                let cut_off = !self.ended && rest.iter().any(|byte| !matches!(byte, b'\r' | b'\n'));
                self.ended = true;
                if cut_off { Err(Reject::bad("the message was cut off")) } else { Ok(None) }
            }
            // The other half of a tunnel goes on.
            Receive::Done if self.is_tunnel() => Ok(None),
            Receive::Done if self.role == Role::Client => {
                self.ended = true;
                Ok(None)
            }
            Receive::Done => {
                // Whole requests may still wait in `rest`; if none does, this response is the last.
                self.end_seen = true;
                self.closing |= rest.is_empty();
                Ok(None)
            }
            Receive::UntilClose | Receive::Tunnel => {
                self.receive = Receive::Done;
                Ok(Some(self.data(&[], true)))
            }
            Receive::Head if rest.is_empty() => {
                Err(Reject::bad("the connection was closed before the response"))
            }
            _ => Err(Reject::bad("the message was cut off")),
        }
    }

    /// Server, after the end of input: what is left decides whether more is to come.
    fn check_end(&mut self, input: &[u8], progress: bool) -> Result<(), Reject> {
        match self.receive {
            Receive::Done => self.closing |= input.is_empty(),
            Receive::Tunnel => {}
            Receive::Idle if !progress => {
                self.ended = true;
                if !input.is_empty() {
                    return Err(Reject::bad("the message was cut off"));
                }
            }
            _ if !progress => return Err(Reject::bad("the message was cut off")),
            _ => {}
        }
        Ok(())
    }
}

/// Up to `left` bytes from the front of `input`, and what is then left; `None` if it is empty.
#[inline]
fn take<'a>(input: &mut &'a [u8], left: u64) -> Option<(&'a [u8], u64)> {
    if input.is_empty() {
        return None;
    }
    let count = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
    let (bytes, rest) = input.split_at_checked(count)?;
    *input = rest;
    Some((bytes, left - count as u64))
}
