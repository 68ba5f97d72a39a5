//! What the owner sends.

use bulkhead_message::{Fields, Method, RequestHead, ResponseHead};

use super::Connection;
use crate::http2::frame::{self, FLAG_END_HEADERS, FLAG_END_STREAM};
use crate::http2::streams::{ANY_LENGTH, State, Stream};
use crate::{ErrorCode, OpenError, SendError, StreamId, Tag};

impl Connection {
    /// Client: sends a request head on a new stream.
    ///
    /// A head with `protocol` is sent as an extended CONNECT (RFC 8441), whatever its method, and its
    /// stream is a tunnel when a 2xx has come.
    ///
    /// # Errors
    /// When the peer takes no new stream now, or not yet, or not of this kind.
    pub fn open(
        &mut self,
        head: &RequestHead,
        end: bool,
        tag: Tag,
        out: &mut Vec<u8>,
    ) -> Result<StreamId, OpenError> {
        let id = self.next_id;
        if self.phase.closing || self.failed.is_some() || id > frame::STREAM_ID_MAX {
            return Err(OpenError::Closing);
        }
        if self.streams.len() >= self.peer.streams_max as usize {
            return Err(OpenError::Full);
        }
        let extended = !head.protocol().is_empty();
        if extended && !self.peer.extended_connect {
            return Err(match self.phase.settings_seen {
                true => OpenError::NotOffered,
                false => OpenError::SettingsAwaited,
            });
        }
        self.next_id = id + 2;
        let mut state = State::default();
        match head.method() {
            _ if extended => state.set(State::CONNECT),
            Method::Head => state.set(State::HEAD),
            Method::Connect => state.set(State::CONNECT),
            _ => {}
        }
        if end {
            state.set(State::LOCAL_ENDED);
        }
        self.insert_stream(id, state, tag, ANY_LENGTH);
        let at = begin_block(id, end, out);
        self.encoder.request(head, out);
        frame::finish_block(at, self.peer.frame_bytes_max as usize, out);
        Ok(id)
    }

    pub(super) fn insert_stream(&mut self, id: StreamId, state: State, tag: Tag, remaining: u64) {
        self.streams.insert(Stream {
            id,
            state,
            tag,
            send_window: i64::from(self.peer.stream_window_bytes),
            receive_window: self.stream_window(),
            owed: 0,
            unreleased: 0,
            remaining,
        });
    }

    /// Server: sends an interim or final response head. A final one with `end` ends the message.
    ///
    /// # Errors
    /// When the stream is gone, its message has ended, or a final head was sent before.
    pub fn respond(
        &mut self,
        stream: StreamId,
        head: &ResponseHead,
        end: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let interim = head.is_interim();
        let state = &mut self.streams.find_mut(stream).ok_or(SendError::Closed)?.state;
        if state.has(State::LOCAL_ENDED) {
            return Err(SendError::Closed);
        }
        if state.has(State::ANSWERED) {
            return Err(SendError::Invalid("a second final response head"));
        }
        if !interim {
            state.set(State::ANSWERED);
        }
        if state.has(State::CONNECT) && (200..300).contains(&head.status) {
            state.set(State::TUNNEL);
        }
        let end = end && !interim;
        let at = begin_block(stream, end, out);
        self.encoder.response(head, out);
        frame::finish_block(at, self.peer.frame_bytes_max as usize, out);
        if end {
            self.end_local(stream, out);
        }
        Ok(())
    }

    /// Our message on this stream has ended.
    fn end_local(&mut self, id: StreamId, out: &mut Vec<u8>) {
        if let Some(stream) = self.streams.find_mut(id) {
            stream.state.set(State::LOCAL_ENDED);
            if stream.state.has(State::REMOTE_ENDED) {
                self.finish(id, out);
            }
        }
    }

    /// Sends body bytes, as many as flow control allows, and gives their number. `end` takes effect
    /// when all of them were taken. What was not taken is the caller's to keep; the stream then comes
    /// up in [`Self::next_writable`] when there is room.
    ///
    /// # Errors
    /// When the stream is gone or our message on it has ended.
    pub fn send_data(
        &mut self,
        stream: StreamId,
        bytes: &[u8],
        end: bool,
        out: &mut Vec<u8>,
    ) -> Result<usize, SendError> {
        let state = self.streams.find_mut(stream).ok_or(SendError::Closed)?;
        if state.state.has(State::LOCAL_ENDED) {
            return Err(SendError::Closed);
        }
        let window = state.send_window.min(self.send_window).max(0) as usize;
        let whole = bytes.len() <= window;
        let taken = if whole { bytes } else { bytes.get(..window).unwrap_or(&[]) };
        state.send_window -= taken.len() as i64;
        self.send_window -= taken.len() as i64;
        if whole {
            state.state.unset(State::BLOCKED);
        } else {
            state.state.set(State::BLOCKED);
            self.enqueue(stream);
        }
        let end = end && whole;
        let payload_max = frame::PAYLOAD_BYTES_DEFAULT.min(self.peer.frame_bytes_max as usize);
        let mut rest = taken;
        while rest.len() > payload_max {
            let (piece, more) = rest.split_at(payload_max);
            frame::write_header(piece.len(), frame::DATA, 0, stream, out);
            out.extend_from_slice(piece);
            self.guard.sent(piece.len());
            rest = more;
        }
        if !rest.is_empty() || end {
            let flags = if end { FLAG_END_STREAM } else { 0 };
            frame::write_header(rest.len(), frame::DATA, flags, stream, out);
            out.extend_from_slice(rest);
            self.guard.sent(rest.len());
        }
        if end {
            self.end_local(stream, out);
        }
        Ok(taken.len())
    }

    /// Ends the message with trailers.
    ///
    /// # Errors
    /// When the stream is gone, our message on it has ended, or (server) has not begun.
    pub fn send_trailers(
        &mut self,
        stream: StreamId,
        trailers: &Fields,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let state = self.streams.find_mut(stream).ok_or(SendError::Closed)?.state;
        if state.has(State::LOCAL_ENDED) {
            return Err(SendError::Closed);
        }
        if state.has(State::TUNNEL) {
            return Err(SendError::Invalid("trailers in a tunnel"));
        }
        if self.role == crate::Role::Server && !state.has(State::ANSWERED) {
            return Err(SendError::Invalid("trailers before the response head"));
        }
        let at = begin_block(stream, true, out);
        self.encoder.trailers(trailers, out);
        frame::finish_block(at, self.peer.frame_bytes_max as usize, out);
        self.end_local(stream, out);
        Ok(())
    }

    /// Gives up a stream, in both directions. It is gone afterwards, without a further event, and what
    /// of its body was not released counts as released.
    pub fn reset(&mut self, stream: StreamId, code: ErrorCode, out: &mut Vec<u8>) {
        if let Some(gone) = self.streams.remove(stream) {
            frame::write_reset(stream, code, out);
            self.resets.push(stream);
            self.credit(gone.unreleased, out);
        }
    }

    /// The owner has passed on `flow_bytes` of received body: the peer may send as much again.
    /// Without effect on a stream that is gone: its bytes were released when it went.
    #[inline]
    pub fn release(&mut self, stream: StreamId, flow_bytes: u32, out: &mut Vec<u8>) {
        let threshold = (self.settings.stream_window_bytes / 2).max(1);
        let Some(state) = self.streams.find_mut(stream) else { return };
        let bytes = flow_bytes.min(state.unreleased);
        state.unreleased -= bytes;
        if !state.state.has(State::REMOTE_ENDED) {
            state.owed += bytes;
            if state.owed >= threshold {
                state.receive_window += i64::from(state.owed);
                frame::write_window_update(stream, state.owed, out);
                state.owed = 0;
            }
        }
        self.credit(bytes, out);
    }

    /// A stream that `send_data` left blocked and that has room now, each once, fairly in turn.
    #[inline]
    pub fn next_writable(&mut self) -> Option<(StreamId, Tag)> {
        if self.send_window <= 0 {
            return None;
        }
        while let Some(id) = self.queue.pop_front() {
            let Some(stream) = self.streams.find_mut(id) else { continue };
            stream.state.unset(State::QUEUED);
            if stream.state.has(State::BLOCKED) && stream.send_window > 0 {
                stream.state.unset(State::BLOCKED);
                return Some((id, stream.tag));
            }
        }
        None
    }
}

/// Begins a field block in `out` and gives its place.
#[inline]
fn begin_block(stream: StreamId, end: bool, out: &mut Vec<u8>) -> usize {
    let at = out.len();
    let flags = FLAG_END_HEADERS | if end { FLAG_END_STREAM } else { 0 };
    frame::write_header(0, frame::HEADERS, flags, stream, out);
    at
}
