//! From the server's frames to events: answers in pieces as they come, control frames at once.
//!
//! Keeps no byte of a message. An answer to nothing is dropped.

use bulkhead_codec::{ConnectionError, ErrorCode, Event, Heads};
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::frame::{Frame, push_frame};
use super::{Message, Payload, Phase, WebSocket, broken};

/// Largest message that is taken, in bytes over all its frames.
const MESSAGE_BYTES_MAX: u64 = 16 << 20;
/// Bytes that may wait to be sent when a ping comes: who sends more pings than it reads pongs is cut.
const PONG_BACKLOG_BYTES_MAX: usize = 1 << 20;
/// Status of an answer: the one that began the connection.
const STATUS: u16 = 101;

/// What came of a piece of payload.
enum Taken<'a> {
    /// It is not there yet.
    Nothing,
    /// Nobody waits for it.
    Unwanted,
    Event(Event<'a>),
}

impl WebSocket {
    pub(super) fn try_next<'a>(
        &mut self,
        input: &mut &'a [u8],
        heads: &mut Heads,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'a>>, ConnectionError> {
        if let Phase::Upgrading(handshake) = &self.phase {
            return match handshake.take_response(input) {
                Ok(false) => Ok(None),
                Ok(true) => {
                    self.phase = Phase::Open;
                    Ok(Some(Event::Ready))
                }
                Err(refusal) => {
                    self.refusal = Some(refusal);
                    Err(broken("the upgrade was refused"))
                }
            };
        }
        loop {
            if matches!(self.phase, Phase::Closed) {
                *input = &[];
                return Ok(None);
            }
            if let Some(payload) = self.frame {
                match self.take_payload(payload, input) {
                    Taken::Nothing => return Ok(None),
                    Taken::Unwanted => continue,
                    Taken::Event(event) => return Ok(Some(event)),
                }
            }
            let Some(frame) = Frame::take(input)? else { return Ok(None) };
            let event = match frame.opcode {
                OpCode::Control(control) => self.on_control(control, frame.control, out)?,
                OpCode::Data(data) => self.on_data_frame(data, &frame, heads)?,
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// The head of a data frame: it begins a message or goes on with one.
    fn on_data_frame(
        &mut self,
        data: Data,
        frame: &Frame<'_>,
        heads: &mut Heads,
    ) -> Result<Option<Event<'static>>, ConnectionError> {
        let begins = data != Data::Continue;
        let before = match self.message {
            Some(_) if begins => return Err(broken("a message begins within another")),
            None if !begins => return Err(broken("a continuation of no message")),
            Some(message) => message,
            None => Message { bytes: 0, answers: self.awaited.pop_front() },
        };
        let bytes = before.bytes.saturating_add(frame.length);
        let message = Message { bytes, ..before };
        self.message = Some(message);
        if bytes > MESSAGE_BYTES_MAX {
            return Err(broken("a message of more than 16 MiB"));
        }
        self.frame = Some(Payload { left: frame.length, last: frame.last });
        let Some((stream, tag)) = message.answers.filter(|&(_, tag)| begins && tag != 0) else {
            return Ok(None);
        };
        heads.response.clear();
        heads.response.status = STATUS;
        Ok(Some(Event::Response { stream, tag, end: false }))
    }

    fn take_payload<'a>(&mut self, payload: Payload, input: &mut &'a [u8]) -> Taken<'a> {
        let wanted = usize::try_from(payload.left).unwrap_or(usize::MAX);
        if wanted > 0 && input.is_empty() {
            return Taken::Nothing;
        }
        let (bytes, rest) = input.split_at(wanted.min(input.len()));
        *input = rest;
        let left = payload.left - bytes.len() as u64;
        self.frame = (left > 0).then_some(Payload { left, ..payload });
        let answers = self.message.and_then(|message| message.answers);
        let end = payload.last && left == 0;
        if end {
            self.message = None;
        }
        let Some((stream, tag)) = answers.filter(|&(_, tag)| tag != 0) else {
            return Taken::Unwanted;
        };
        if end {
            self.live -= 1;
        }
        Taken::Event(Event::Data { stream, tag, bytes, flow_bytes: 0, end })
    }

    fn on_control(
        &mut self,
        control: Control,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'static>>, ConnectionError> {
        match control {
            Control::Ping if out.len() > PONG_BACKLOG_BYTES_MAX => {
                Err(broken("more pings than pongs are read"))
            }
            Control::Ping => {
                push_frame(OpCode::Control(Control::Pong), payload, self.mask(), out);
                Ok(None)
            }
            Control::Close => {
                if payload.len() == 1 {
                    return Err(broken("a close frame with half a code"));
                }
                self.say_goodbye(out);
                self.phase = Phase::Closed;
                Ok(Some(Event::GoAway { last_stream: self.last_stream, code: ErrorCode::NO_ERROR }))
            }
            // Nobody has asked for a pong, but one may be sent all the same (§5.5.3).
            Control::Pong | Control::Reserved(_) => Ok(None),
        }
    }
}
