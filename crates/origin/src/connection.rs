//! One connection: bytes in, events, answers, bytes out. Never blocks and never reads a clock.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bulkhead_codec::{Codec, Event, Heads, Role, StreamId, Tag, http1, http2};
use bulkhead_message::{Fields, ResponseHead};
use bulkhead_transport::{Channel, ReadOutcome};

use crate::stats::OriginStats;
use crate::websocket::WebSocket;

mod exchange;
mod reply;

use exchange::Exchange;

/// Bytes that may wait for the socket before answers are held back and reading pauses.
const OUT_BYTES_MAX: usize = 256 * 1024;

/// What the connections of one thread share: scratch memory that is never kept between two calls,
/// the counts, and the waits asked for.
pub(crate) struct Shared {
    pub(crate) stats: Arc<OriginStats>,
    /// Waits to begin.
    pub(crate) waits: Vec<Wait>,
    /// The request is a HEAD: its answer has no body (RFC 9110 §9.3.2).
    head_only: bool,
    heads: Heads,
    response: ResponseHead,
    body: Vec<u8>,
    trailers: Fields,
}

impl Shared {
    pub(crate) fn new(stats: Arc<OriginStats>) -> Self {
        Self {
            stats,
            waits: Vec::new(),
            head_only: false,
            heads: Heads::default(),
            response: ResponseHead::default(),
            body: Vec::new(),
            trailers: Fields::new(),
        }
    }
}

/// A wait that an exchange asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) ms: u64,
    /// It keeps one of the thread's slots busy, and begins when one is free.
    pub(crate) in_slot: bool,
    pub(crate) stream: StreamId,
    pub(crate) tag: Tag,
}

/// What the owner has to do with a connection after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Keep it.
    Live,
    /// Drop it.
    Dead,
}

/// A client of ours.
pub(crate) struct Connection {
    channel: Channel,
    codec: Option<Codec>,
    /// What the connection has become by an upgrade.
    websocket: Option<Box<WebSocket>>,
    input: Vec<u8>,
    out: Vec<u8>,
    sent: usize,
    exchanges: Vec<Exchange>,
    free: Vec<usize>,
    /// Exchanges that wait until `out` has room.
    stalled: Vec<(StreamId, Tag)>,
    read_paused: bool,
    input_ended: bool,
    close: bool,
}

impl Connection {
    pub(crate) const fn new(channel: Channel) -> Self {
        Self {
            channel,
            codec: None,
            websocket: None,
            input: Vec::new(),
            out: Vec::new(),
            sent: 0,
            exchanges: Vec::new(),
            free: Vec::new(),
            stalled: Vec::new(),
            read_paused: false,
            input_ended: false,
            close: false,
        }
    }

    pub(crate) const fn channel(&mut self) -> &mut Channel {
        &mut self.channel
    }

    /// Reads what is there and answers it; the answers wait in `out` for [`Self::flush`].
    pub(crate) fn read(
        &mut self,
        may_be_closed: bool,
        buffer: &mut [u8],
        shared: &mut Shared,
    ) -> Fate {
        while !self.close && !self.input_ended {
            if self.out.len() - self.sent > OUT_BYTES_MAX {
                self.read_paused = true;
                return Fate::Live;
            }
            match self.channel.read(buffer) {
                Ok(ReadOutcome::Bytes(count)) => {
                    self.take(&buffer[..count], shared);
                    if !may_be_closed && !self.channel.may_read_more() {
                        break;
                    }
                }
                Ok(ReadOutcome::WouldBlock) => break,
                Ok(ReadOutcome::Closed) => self.input_ended = true,
                Err(_) => return Fate::Dead,
            }
        }
        self.read_paused = false;
        Fate::Live
    }

    fn take(&mut self, bytes: &[u8], shared: &mut Shared) {
        if self.input.is_empty() {
            let rest = self.decode(bytes, shared);
            self.input.extend_from_slice(&bytes[bytes.len() - rest..]);
            return;
        }
        let mut input = std::mem::take(&mut self.input);
        input.extend_from_slice(bytes);
        let rest = self.decode(&input, shared);
        let consumed = input.len() - rest;
        input.drain(..consumed);
        self.input = input;
    }

    /// Decodes and answers; gives how many bytes at the end of `input` were left.
    fn decode(&mut self, mut input: &[u8], shared: &mut Shared) -> usize {
        if let Some(websocket) = &mut self.websocket {
            self.close |= websocket.take(input, &mut self.out, &shared.stats);
            return 0;
        }
        if self.codec.is_none() {
            match sniff(input) {
                Some(codec) => self.codec.insert(codec).start(&mut self.out),
                None => return input.len(),
            }
        }
        let mut heads = std::mem::take(&mut shared.heads);
        while let Some(codec) = &mut self.codec {
            match codec.next_event(&mut input, &mut heads, &mut self.out) {
                Ok(Some(event)) => self.on_event(event, &heads, shared),
                Ok(None) => break,
                Err(_) => {
                    self.close = true;
                    break;
                }
            }
        }
        shared.heads = heads;
        if self.websocket.is_some() {
            return self.decode(input, shared);
        }
        while let Some((stream, tag)) = self.codec.as_mut().and_then(Codec::next_writable) {
            self.pump(stream, tag, shared);
        }
        input.len()
    }

    fn on_event(&mut self, event: Event<'_>, heads: &Heads, shared: &mut Shared) {
        match event {
            Event::Request { stream, end } => self.begin(stream, &heads.request, end, shared),
            Event::Data { stream, tag, bytes, flow_bytes, end } => {
                self.on_data(stream, tag, bytes, flow_bytes, end, shared);
            }
            Event::Trailers { stream, tag } => self.on_data(stream, tag, &[], 0, true, shared),
            Event::Reset { tag, .. } => {
                shared.stats.resets.fetch_add(1, Ordering::Relaxed);
                self.forget(tag);
            }
            Event::GoAway { .. } | Event::Ready | Event::Response { .. } | Event::Pong(_) => {}
        }
    }

    /// Writes what waits, once; takes up stalled answers when there is room again.
    pub(crate) fn flush(&mut self, shared: &mut Shared) -> Fate {
        loop {
            while self.sent < self.out.len() {
                match self.channel.write(&self.out[self.sent..]) {
                    Ok(0) => return Fate::Live,
                    Ok(count) => self.sent += count,
                    Err(_) => return Fate::Dead,
                }
            }
            self.out.clear();
            self.sent = 0;
            if self.out.capacity() > OUT_BYTES_MAX {
                self.out.shrink_to(OUT_BYTES_MAX / 4);
            }
            if self.stalled.is_empty() && !self.take_pipelined(shared) {
                break;
            }
            for (stream, tag) in std::mem::take(&mut self.stalled) {
                self.pump(stream, tag, shared);
            }
        }
        if self.channel.wants_write() && self.channel.flush().is_err() {
            return Fate::Dead;
        }
        let finished = self.codec.as_ref().is_none_or(|codec| codec.active_streams() == 0);
        let over = self.close
            || (self.input_ended && finished)
            || self.codec.as_ref().is_some_and(Codec::must_close);
        if over {
            self.channel.close_notify();
            return Fate::Dead;
        }
        Fate::Live
    }

    /// HTTP/1: takes up what came while an earlier request was being answered. Whether it did.
    fn take_pipelined(&mut self, shared: &mut Shared) -> bool {
        let idle = self.codec.as_ref().is_some_and(|c| !c.is_http2() && c.active_streams() == 0);
        let before = self.input.len();
        if idle && before > 0 && !self.close {
            self.take(&[], shared);
        }
        self.input.len() < before
    }

    /// Whether reading waits until answers have left.
    pub(crate) const fn read_is_paused(&self) -> bool {
        self.read_paused
    }

    /// Whether no byte waits for the socket.
    pub(crate) const fn all_is_sent(&self) -> bool {
        self.out.is_empty()
    }

    /// Asks for events under `token`.
    pub(crate) fn register(
        &mut self,
        registry: &mio::Registry,
        token: mio::Token,
    ) -> io::Result<()> {
        registry.register(
            &mut self.channel,
            token,
            mio::Interest::READABLE | mio::Interest::WRITABLE,
        )
    }
}

/// The protocol of the first bytes; `None`: too few to tell.
fn sniff(input: &[u8]) -> Option<Codec> {
    let length = input.len().min(http2::PREFACE.len());
    if input[..length] != http2::PREFACE[..length] {
        let settings = http1::Settings::default();
        return Some(Codec::Http1(Box::new(http1::Connection::new(Role::Server, &settings))));
    }
    if length < http2::PREFACE.len() {
        return None;
    }
    let settings = http2::Settings {
        streams_max: 1_024,
        stream_window_bytes: 1 << 20,
        connection_window_bytes: 8 << 20,
        ..http2::Settings::default()
    };
    Some(Codec::Http2(Box::new(http2::Connection::new(Role::Server, &settings))))
}
