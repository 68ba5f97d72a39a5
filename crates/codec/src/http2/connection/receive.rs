//! What the peer sends: frames in their order, and DATA.

use super::{Connection, Fault};
use crate::http2::PREFACE;
use crate::http2::frame::{self, FLAG_END_STREAM, FLAG_PADDED, Header};
use crate::http2::streams::{ANY_LENGTH, State};
use crate::{ErrorCode, Event, Heads, Role, StreamId};

mod block;
mod control;

type Decoded<'a> = Result<Option<Event<'a>>, Fault>;

impl Connection {
    #[inline]
    pub(super) fn decode<'a>(
        &mut self,
        input: &mut &'a [u8],
        heads: &mut Heads,
        out: &mut Vec<u8>,
    ) -> Decoded<'a> {
        if self.unprocessed_above.is_some()
            && let Some(event) = self.report_unprocessed(out)
        {
            return Ok(Some(event));
        }
        if !self.phase.preface_seen && !self.take_preface(input)? {
            return Ok(None);
        }
        while let Some(header) = Header::parse(input) {
            if header.len > self.settings.frame_bytes_max as usize {
                return Err(Fault(ErrorCode::FRAME_SIZE_ERROR, "frame too large"));
            }
            let behind = input.get(frame::HEADER_BYTES..).unwrap_or(&[]);
            let Some((payload, rest)) = behind.split_at_checked(header.len) else { break };
            *input = rest;
            if let Some(event) = self.take_frame(header, payload, heads, out)? {
                return Ok(Some(event));
            }
        }
        self.guard.batch_ended();
        Ok(None)
    }

    /// Whether the whole preface was there. A wrong one is seen at its first wrong byte.
    #[cold]
    fn take_preface(&mut self, input: &mut &[u8]) -> Result<bool, Fault> {
        let len = input.len().min(PREFACE.len());
        let (front, rest) = input.split_at_checked(len).unwrap_or((input, &[]));
        if !PREFACE.starts_with(front) {
            return Err(Fault::protocol("connection preface wrong"));
        }
        if len < PREFACE.len() {
            return Ok(false);
        }
        *input = rest;
        self.phase.preface_seen = true;
        Ok(true)
    }

    #[inline]
    fn take_frame<'a>(
        &mut self,
        header: Header,
        payload: &'a [u8],
        heads: &mut Heads,
        out: &mut Vec<u8>,
    ) -> Decoded<'a> {
        if self.block.is_some() {
            return self.take_continuation(header, payload, heads, out);
        }
        if !self.phase.settings_seen && header.kind != frame::SETTINGS {
            return Err(Fault::protocol("first frame is not SETTINGS"));
        }
        match header.kind {
            frame::DATA => self.take_data(header, payload, out),
            frame::HEADERS => self.take_headers(header, payload, heads, out),
            _ => self.take_control(header, payload, out),
        }
    }

    /// Whether a stream has never been used. Only the side that opens it may use its number.
    fn is_idle(&self, id: StreamId) -> bool {
        match self.role {
            Role::Server => id > self.last_id || id.is_multiple_of(2),
            Role::Client => id >= self.next_id || id.is_multiple_of(2),
        }
    }

    #[inline]
    fn take_data<'a>(
        &mut self,
        header: Header,
        payload: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Decoded<'a> {
        let id = header.stream;
        let flow_bytes = payload.len() as u32;
        let bytes = unpadded(header, payload)?;
        if i64::from(flow_bytes) > self.receive_window {
            let reason = "DATA beyond the connection's window";
            return Err(Fault(ErrorCode::FLOW_CONTROL_ERROR, reason));
        }
        let Some(stream) = self.streams.find_mut(id) else {
            return self.take_late_data(id, bytes.len(), flow_bytes, out);
        };
        self.receive_window -= i64::from(flow_bytes);
        let unheaded = self.role == Role::Client && !stream.state.has(State::ANSWERED);
        let end = header.has(FLAG_END_STREAM);
        let fault = if stream.state.has(State::REMOTE_ENDED) {
            Some(ErrorCode::STREAM_CLOSED)
        } else if unheaded {
            Some(ErrorCode::PROTOCOL_ERROR)
        } else if i64::from(flow_bytes) > stream.receive_window {
            Some(ErrorCode::FLOW_CONTROL_ERROR)
        } else if stream.remaining != ANY_LENGTH
            && (bytes.len() as u64 > stream.remaining
                || end && bytes.len() as u64 != stream.remaining)
        {
            Some(ErrorCode::PROTOCOL_ERROR)
        } else {
            None
        };
        if let Some(code) = fault {
            self.credit(flow_bytes, out);
            return self.refuse(id, code, out);
        }
        if stream.remaining != ANY_LENGTH {
            stream.remaining -= bytes.len() as u64;
        }
        stream.receive_window -= i64::from(flow_bytes);
        stream.unreleased += flow_bytes;
        let tag = stream.tag;
        if end {
            stream.state.set(State::REMOTE_ENDED);
            if stream.state.has(State::LOCAL_ENDED) {
                self.finish(id, out);
            }
        } else {
            self.guard.data(bytes.len())?;
            if bytes.is_empty() {
                // Nothing for the owner; padding, if any, has left the buffers already.
                self.release(id, flow_bytes, out);
                return Ok(None);
            }
        }
        Ok(Some(Event::Data { stream: id, tag, bytes, flow_bytes, end }))
    }

    /// DATA for a stream that is gone, or never was. Its bytes cost window like any other.
    #[cold]
    fn take_late_data<'a>(
        &mut self,
        id: StreamId,
        bytes: usize,
        flow_bytes: u32,
        out: &mut Vec<u8>,
    ) -> Decoded<'a> {
        if self.is_idle(id) {
            return Err(Fault::protocol("DATA on an idle stream"));
        }
        self.receive_window -= i64::from(flow_bytes);
        self.credit(flow_bytes, out);
        self.guard.data(bytes)?;
        if self.resets.contains(id) {
            return Ok(None);
        }
        self.refuse(id, ErrorCode::STREAM_CLOSED, out)
    }

    /// Resets a stream because of what the peer did on it.
    #[cold]
    fn refuse<'a>(&mut self, id: StreamId, code: ErrorCode, out: &mut Vec<u8>) -> Decoded<'a> {
        self.guard.forced()?;
        self.counters.resets_forced += 1;
        frame::write_reset(id, code, out);
        self.resets.push(id);
        let Some(stream) = self.streams.remove(id) else { return Ok(None) };
        self.credit(stream.unreleased, out);
        Ok(Some(Event::Reset { stream: id, tag: stream.tag, code, by_peer: false }))
    }
}

/// The payload without its padding (RFC 9113 §6.1, §6.2).
#[inline]
fn unpadded(header: Header, payload: &[u8]) -> Result<&[u8], Fault> {
    if header.stream == 0 {
        return Err(Fault::protocol("frame needs a stream"));
    }
    if !header.has(FLAG_PADDED) {
        return Ok(payload);
    }
    let Some((&padding, rest)) = payload.split_first() else {
        return Err(Fault(ErrorCode::FRAME_SIZE_ERROR, "padded frame too short"));
    };
    let len = rest.len().checked_sub(usize::from(padding));
    len.and_then(|len| rest.get(..len)).ok_or(Fault::protocol("padding longer than the frame"))
}

/// The stream that a priority depends on (RFC 9113 §6.3).
const fn dependency(priority: &[u8; 5]) -> StreamId {
    let [a, b, c, d, _] = *priority;
    u32::from_be_bytes([a & 0x7f, b, c, d])
}
