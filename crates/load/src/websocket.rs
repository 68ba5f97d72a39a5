//! A client's side of a WebSocket (RFC 6455) whose server answers each message with one message.
//!
//! A request is one message, its answer the message that comes in the same place: WebSocket has no
//! stream ids, so answers are matched in order. Extensions are never asked for. What is in the
//! messages, and whether text is UTF-8, is left to whoever compares them. Never does I/O.

use std::collections::VecDeque;

use bulkhead_codec::{ConnectionError, ErrorCode, Event, Heads, OpenError, StreamId, Tag};
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use crate::options::TargetOptions;
use crate::schedule::Random;

mod frame;
mod receive;
mod upgrade;

pub use upgrade::{MessageKind, Upgrade};

use frame::push_frame;
use upgrade::Handshake;

/// Where a connection is in its life.
#[derive(Debug)]
enum Phase {
    /// The upgrade is asked for.
    Upgrading(Handshake),
    /// Messages go both ways.
    Open,
    /// No new ones: an answer was given up, so those after it could be taken for each other's.
    Closing,
    /// A close frame has come, or the peer broke the protocol.
    Closed,
}

/// A request whose answer is awaited; a tag of 0: nobody waits for it any more.
type Awaited = (StreamId, Tag);

/// A connection.
#[derive(Debug)]
pub(crate) struct WebSocket {
    phase: Phase,
    refusal: Option<String>,
    kind: MessageKind,
    awaited: VecDeque<Awaited>,
    /// Those of `awaited` with a tag.
    live: usize,
    last_stream: StreamId,
    /// Payload of the data frame that comes in.
    frame: Option<Payload>,
    /// The message that comes in.
    message: Option<Message>,
    random: Random,
    said_goodbye: bool,
}

/// What is missing of a data frame.
#[derive(Clone, Copy, Debug)]
struct Payload {
    left: u64,
    last: bool,
}

/// A message that comes in.
#[derive(Clone, Copy, Debug)]
struct Message {
    bytes: u64,
    /// `None`: nobody waits for it.
    answers: Option<Awaited>,
}

impl WebSocket {
    pub(crate) fn new(options: &TargetOptions) -> Self {
        let default = || Upgrade::new("/", &options.address.to_string());
        let upgrade = options.websocket.clone().unwrap_or_else(default);
        let kind = upgrade.kind;
        let (handshake, seed) = Handshake::new(upgrade);
        Self {
            phase: Phase::Upgrading(handshake),
            refusal: None,
            kind,
            awaited: VecDeque::new(),
            live: 0,
            last_stream: 0,
            frame: None,
            message: None,
            random: Random::new(seed),
            said_goodbye: false,
        }
    }

    /// Asks for the upgrade.
    pub(crate) fn start(&self, out: &mut Vec<u8>) {
        if let Phase::Upgrading(handshake) = &self.phase {
            handshake.push_request(out);
        }
    }

    /// As that of the codec. Each answer is a response of status 101 and its data.
    pub(crate) fn next_event<'a>(
        &mut self,
        input: &mut &'a [u8],
        heads: &mut Heads,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'a>>, ConnectionError> {
        let event = self.try_next(input, heads, out);
        if event.is_err() {
            self.phase = Phase::Closed;
        }
        event
    }

    pub(crate) fn for_each_stream(&mut self, mut visit: impl FnMut(StreamId, &mut Tag)) {
        let begun = self.message.as_mut().and_then(|message| message.answers.as_mut());
        begun.into_iter().chain(&mut self.awaited).for_each(|(stream, tag)| visit(*stream, tag));
    }

    /// Messages whose answers are awaited.
    pub(crate) const fn active_streams(&self) -> usize {
        self.live
    }

    pub(crate) const fn available_streams(&self) -> usize {
        match self.phase {
            Phase::Open => usize::MAX,
            Phase::Upgrading(_) | Phase::Closing | Phase::Closed => 0,
        }
    }

    /// A new message; with `end` an empty one, else what [`Self::send`] says next.
    pub(crate) fn open(
        &mut self,
        end: bool,
        tag: Tag,
        out: &mut Vec<u8>,
    ) -> Result<StreamId, OpenError> {
        match self.phase {
            Phase::Open => {}
            Phase::Upgrading(_) => return Err(OpenError::Full),
            Phase::Closing | Phase::Closed => return Err(OpenError::Closing),
        }
        self.last_stream = self.last_stream.checked_add(1).ok_or(OpenError::Closing)?;
        self.awaited.push_back((self.last_stream, tag));
        self.live += 1;
        if end {
            self.send(&[], out);
        }
        Ok(self.last_stream)
    }

    /// Sends a message whole.
    pub(crate) fn send(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let data = match self.kind {
            MessageKind::Binary => Data::Binary,
            MessageKind::Text => Data::Text,
        };
        push_frame(OpCode::Data(data), bytes, self.mask(), out);
    }

    /// Nobody waits for an answer any more. It may still come, or never, and then the next one's
    /// would be taken for it: so the connection is closed once those in flight are answered.
    pub(crate) fn abandon(&mut self, stream: StreamId) {
        let mut found = false;
        self.for_each_stream(|other, tag| {
            if other == stream && *tag != 0 {
                *tag = 0;
                found = true;
            }
        });
        self.live -= usize::from(found);
        if matches!(self.phase, Phase::Open) {
            self.phase = Phase::Closing;
        }
    }

    pub(crate) const fn must_close(&self) -> bool {
        match self.phase {
            Phase::Closed => true,
            Phase::Closing => self.live == 0,
            Phase::Upgrading(_) | Phase::Open => false,
        }
    }

    /// Whether an answer was given up.
    pub(crate) const fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing)
    }

    /// Why there was no upgrade.
    pub(crate) fn take_refusal(&mut self) -> Option<String> {
        self.refusal.take()
    }

    /// Sends a close frame, once.
    pub(crate) fn say_goodbye(&mut self, out: &mut Vec<u8>) {
        if matches!(self.phase, Phase::Upgrading(_))
            || std::mem::replace(&mut self.said_goodbye, true)
        {
            return;
        }
        let code = u16::from(CloseCode::Normal).to_be_bytes();
        push_frame(OpCode::Control(Control::Close), &code, self.mask(), out);
    }

    const fn mask(&mut self) -> [u8; 4] {
        (self.random.next() as u32).to_ne_bytes()
    }
}

/// What breaks a connection.
const fn broken(reason: &'static str) -> ConnectionError {
    ConnectionError { code: ErrorCode::PROTOCOL_ERROR, status: 0, reason }
}

#[cfg(test)]
mod tests;
