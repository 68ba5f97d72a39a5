//! HEADERS and CONTINUATION: field blocks become requests, responses and trailers.

use super::super::{Block, Connection, Fault};
use super::{Decoded, dependency, unpadded};
use crate::http2::frame::{self, FLAG_END_HEADERS, FLAG_END_STREAM, FLAG_PRIORITY, Header};
use crate::http2::head::{RequestSink, ResponseSink, TrailerSink};
use crate::http2::hpack::{Discard, HpackError, Outcome, Sink};
use crate::http2::streams::{ANY_LENGTH, State};
use crate::{ErrorCode, Event, Heads, Role, StreamId};

impl Connection {
    #[inline]
    pub(super) fn take_headers<'a>(
        &mut self,
        header: Header,
        payload: &'a [u8],
        heads: &mut Heads,
        out: &mut Vec<u8>,
    ) -> Decoded<'a> {
        let mut fragment = unpadded(header, payload)?;
        let mut block = Block {
            stream: header.stream,
            end_stream: header.has(FLAG_END_STREAM),
            depends_on_itself: false,
            continuations: 0,
        };
        if header.has(FLAG_PRIORITY) {
            let Some((priority, rest)) = fragment.split_first_chunk::<5>() else {
                return Err(Fault(ErrorCode::FRAME_SIZE_ERROR, "HEADERS too short"));
            };
            block.depends_on_itself = dependency(priority) == header.stream;
            fragment = rest;
        }
        if header.stream.is_multiple_of(2) {
            return Err(Fault::protocol("HEADERS on a stream that no client can open"));
        }
        if header.has(FLAG_END_HEADERS) {
            return self.take_block(block, fragment, heads, out);
        }
        self.block = Some(block);
        self.block_bytes.clear();
        self.append_fragment(fragment)?;
        Ok(None)
    }

    #[cold]
    pub(super) fn take_continuation<'a>(
        &mut self,
        header: Header,
        payload: &'a [u8],
        heads: &mut Heads,
        out: &mut Vec<u8>,
    ) -> Decoded<'a> {
        let Some(block) = &mut self.block else { return Ok(None) };
        if header.kind != frame::CONTINUATION || header.stream != block.stream {
            return Err(Fault::protocol("another frame within a field block"));
        }
        block.continuations += 1;
        if block.continuations > self.settings.continuations_max {
            let reason = "too many CONTINUATION frames";
            return Err(Fault(ErrorCode::ENHANCE_YOUR_CALM, reason));
        }
        let block = *block;
        self.append_fragment(payload)?;
        if !header.has(FLAG_END_HEADERS) {
            return Ok(None);
        }
        self.block = None;
        let bytes = std::mem::take(&mut self.block_bytes);
        self.take_block(block, &bytes, heads, out)
    }

    fn append_fragment(&mut self, fragment: &[u8]) -> Result<(), Fault> {
        if self.block_bytes.len() + fragment.len() > self.limits.bytes_max {
            return Err(Fault(ErrorCode::ENHANCE_YOUR_CALM, "field block too large"));
        }
        self.block_bytes.extend_from_slice(fragment);
        Ok(())
    }

    /// A whole field block: a head, or a trailer section.
    #[inline]
    fn take_block<'a>(
        &mut self,
        block: Block,
        bytes: &[u8],
        heads: &mut Heads,
        out: &mut Vec<u8>,
    ) -> Decoded<'a> {
        let id = block.stream;
        if self.role == Role::Server && id > self.last_id {
            return self.take_request(block, bytes, heads, out);
        }
        let Some(stream) = self.streams.find_mut(id) else {
            return self.take_late_block(id, bytes);
        };
        let state = stream.state;
        if state.has(State::REMOTE_ENDED) {
            self.unpack(bytes, &mut Discard)?;
            return self.refuse(id, ErrorCode::STREAM_CLOSED, out);
        }
        if block.depends_on_itself {
            self.unpack(bytes, &mut Discard)?;
            return self.refuse(id, ErrorCode::PROTOCOL_ERROR, out);
        }
        if self.role == Role::Client && !state.has(State::ANSWERED) {
            return self.take_response(block, bytes, heads, out);
        }
        self.take_trailers(block, bytes, heads, out)
    }

    /// Decodes a block.
    #[inline]
    fn unpack<S: Sink>(&mut self, bytes: &[u8], sink: &mut S) -> Result<Outcome, Fault> {
        self.decoder.decode(bytes, self.limits, sink).map_err(|error| {
            let code = match error {
                HpackError::Bomb => ErrorCode::ENHANCE_YOUR_CALM,
                _ => ErrorCode::COMPRESSION_ERROR,
            };
            Fault(code, error.reason())
        })
    }

    fn take_request<'a>(
        &mut self,
        block: Block,
        bytes: &[u8],
        heads: &mut Heads,
        out: &mut Vec<u8>,
    ) -> Decoded<'a> {
        let Block { stream: id, end_stream: end, .. } = block;
        self.last_id = id;
        if self.phase.closing || self.streams.len() >= self.settings.streams_max as usize {
            self.unpack(bytes, &mut Discard)?;
            return self.refuse_request(id, out);
        }
        let extended_connect = self.settings.extended_connect;
        let mut sink = RequestSink::new(&mut heads.request, extended_connect);
        if self.unpack(bytes, &mut sink)? == Outcome::Oversized {
            return self.refuse_oversized(block, out);
        }
        let length = match sink.finish(end) {
            Ok(length) if !block.depends_on_itself => length,
            _ => return self.refuse(id, ErrorCode::PROTOCOL_ERROR, out),
        };
        let mut state = State::default();
        let remaining = length.unwrap_or(ANY_LENGTH);
        if heads.request.method() == bulkhead_message::Method::Connect {
            state.set(State::CONNECT);
        }
        if end {
            state.set(State::REMOTE_ENDED);
        }
        self.insert_stream(id, state, 0, remaining);
        Ok(Some(Event::Request { stream: id, end }))
    }

    /// A request above the stream limit, or after the connection was announced to close. Before our
    /// settings were acknowledged the peer could not know the limit.
    #[cold]
    fn refuse_request<'a>(&mut self, id: StreamId, out: &mut Vec<u8>) -> Decoded<'a> {
        if self.phase.settings_acknowledged && !self.phase.closing {
            self.guard.forced()?;
        } else {
            self.guard.control(1)?;
        }
        self.counters.streams_refused += 1;
        self.resets.push(id);
        frame::write_reset(id, ErrorCode::REFUSED_STREAM, out);
        Ok(None)
    }

    /// A head above the limits: answered with 431 (RFC 6585 §5); the owner never hears of it.
    #[cold]
    fn refuse_oversized<'a>(&mut self, block: Block, out: &mut Vec<u8>) -> Decoded<'a> {
        self.guard.forced()?;
        self.counters.heads_oversized += 1;
        let id = block.stream;
        let at = out.len();
        frame::write_header(0, frame::HEADERS, FLAG_END_HEADERS | FLAG_END_STREAM, id, out);
        self.encoder.response(&bulkhead_message::ResponseHead::new(431), out);
        frame::finish_block(at, self.peer.frame_bytes_max as usize, out);
        if block.end_stream {
            self.ends.push(id);
        } else {
            frame::write_reset(id, ErrorCode::NO_ERROR, out);
            self.resets.push(id);
        }
        Ok(None)
    }

    fn take_response<'a>(
        &mut self,
        block: Block,
        bytes: &[u8],
        heads: &mut Heads,
        out: &mut Vec<u8>,
    ) -> Decoded<'a> {
        let Block { stream: id, end_stream: end, .. } = block;
        let to_head = self.streams.find_mut(id).is_some_and(|s| s.state.has(State::HEAD));
        let mut sink = ResponseSink::new(&mut heads.response);
        if self.unpack(bytes, &mut sink)? == Outcome::Oversized {
            self.counters.heads_oversized += 1;
            return self.refuse(id, ErrorCode::ENHANCE_YOUR_CALM, out);
        }
        let Ok(length) = sink.finish(end, to_head) else {
            return self.refuse(id, ErrorCode::PROTOCOL_ERROR, out);
        };
        let Some(stream) = self.streams.find_mut(id) else { return Ok(None) };
        let tag = stream.tag;
        if !heads.response.is_interim() {
            stream.state.set(State::ANSWERED);
            let agreed = stream.state.has(State::CONNECT) && heads.response.status < 300;
            if agreed {
                stream.state.set(State::TUNNEL);
            }
            stream.remaining = if agreed { ANY_LENGTH } else { length.unwrap_or(ANY_LENGTH) };
        } else {
            self.guard.control(1)?;
        }
        if end {
            self.end_remote(id, out);
        }
        Ok(Some(Event::Response { stream: id, tag, end }))
    }

    fn take_trailers<'a>(
        &mut self,
        block: Block,
        bytes: &[u8],
        heads: &mut Heads,
        out: &mut Vec<u8>,
    ) -> Decoded<'a> {
        let id = block.stream;
        let mut sink = TrailerSink::new(&mut heads.trailers);
        if self.unpack(bytes, &mut sink)? == Outcome::Oversized {
            self.counters.heads_oversized += 1;
            return self.refuse(id, ErrorCode::ENHANCE_YOUR_CALM, out);
        }
        let well_formed = sink.finish().is_ok() && block.end_stream;
        let role = self.role;
        let Some(stream) = self.streams.find_mut(id) else { return Ok(None) };
        // RFC 9113 §8.5: nothing but DATA on a connected stream, nor on the way to it.
        let tunnel = stream.state.has(State::TUNNEL)
            || (role == Role::Server && stream.state.has(State::CONNECT));
        let cut_short = stream.remaining != ANY_LENGTH && stream.remaining != 0;
        if !well_formed || cut_short || tunnel {
            return self.refuse(id, ErrorCode::PROTOCOL_ERROR, out);
        }
        let tag = stream.tag;
        self.end_remote(id, out);
        Ok(Some(Event::Trailers { stream: id, tag }))
    }

    /// The peer's message on this stream has ended.
    fn end_remote(&mut self, id: StreamId, out: &mut Vec<u8>) {
        if let Some(stream) = self.streams.find_mut(id) {
            stream.state.set(State::REMOTE_ENDED);
            if stream.state.has(State::LOCAL_ENDED) {
                self.finish(id, out);
            }
        }
    }

    /// A field block for a stream that is gone. It is decoded all the same, to stay in step.
    #[cold]
    fn take_late_block<'a>(&mut self, id: StreamId, bytes: &[u8]) -> Decoded<'a> {
        self.unpack(bytes, &mut Discard)?;
        if self.is_idle(id) {
            return Err(Fault::protocol("HEADERS on an idle stream"));
        }
        self.guard.control(1)?;
        if self.resets.contains(id) {
            return Ok(None);
        }
        if self.ends.contains(id) {
            return Err(Fault(ErrorCode::STREAM_CLOSED, "HEADERS on a closed stream"));
        }
        match self.role {
            // A number that was passed over is closed without ever having been used.
            Role::Server => Err(Fault::protocol("stream number not above the last one")),
            Role::Client => Ok(None),
        }
    }
}
