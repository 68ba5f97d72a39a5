//! The frames that carry no message: settings, windows, resets, pings, GOAWAY, priorities.

use super::super::{ACKNOWLEDGEMENT_BYTES_MAX, Connection, Fault};
use super::{Decoded, dependency};
use crate::http2::frame::{self, FLAG_ACK, Header};
use crate::http2::streams::State;
use crate::{ErrorCode, Event, Role, StreamId};

/// Streams that we open at most towards a server that names no limit.
const UNLIMITED_STREAMS: u32 = 16_384;

const fn wrong_size(reason: &'static str) -> Fault {
    Fault(ErrorCode::FRAME_SIZE_ERROR, reason)
}

impl Connection {
    pub(super) fn take_control<'a>(
        &mut self,
        header: Header,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Decoded<'a> {
        match header.kind {
            frame::WINDOW_UPDATE => self.take_window_update(header.stream, payload, out),
            frame::RST_STREAM => self.take_reset(header.stream, payload, out),
            frame::SETTINGS => self.take_settings(header, payload, out),
            frame::PING => self.take_ping(header, payload, out),
            frame::GOAWAY => self.take_goaway(header.stream, payload),
            frame::PRIORITY => self.take_priority(header.stream, payload, out),
            frame::PUSH_PROMISE => Err(Fault::protocol("PUSH_PROMISE is not allowed here")),
            frame::CONTINUATION => Err(Fault::protocol("CONTINUATION without HEADERS")),
            _ => {
                self.guard.control(1)?;
                Ok(None)
            }
        }
    }

    fn take_window_update<'a>(
        &mut self,
        id: StreamId,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Decoded<'a> {
        let &[a, b, c, d] = payload else {
            return Err(wrong_size("WINDOW_UPDATE: wrong length"));
        };
        let increment = i64::from(u32::from_be_bytes([a & 0x7f, b, c, d]));
        self.guard.window_update()?;
        if id == 0 {
            self.send_window += increment;
            return if increment == 0 {
                Err(Fault::protocol("WINDOW_UPDATE of 0"))
            } else if self.send_window > frame::WINDOW_BYTES_MAX {
                Err(Fault(ErrorCode::FLOW_CONTROL_ERROR, "connection window above 2^31-1"))
            } else {
                Ok(None)
            };
        }
        let Some(stream) = self.streams.find_mut(id) else {
            return if self.is_idle(id) {
                Err(Fault::protocol("WINDOW_UPDATE on an idle stream"))
            } else {
                Ok(None)
            };
        };
        stream.send_window += increment;
        if increment == 0 {
            return self.refuse(id, ErrorCode::PROTOCOL_ERROR, out);
        }
        if stream.send_window > frame::WINDOW_BYTES_MAX {
            return self.refuse(id, ErrorCode::FLOW_CONTROL_ERROR, out);
        }
        if stream.state.has(State::BLOCKED) {
            self.enqueue(id);
        }
        Ok(None)
    }

    fn take_reset<'a>(&mut self, id: StreamId, payload: &[u8], out: &mut Vec<u8>) -> Decoded<'a> {
        let &[a, b, c, d] = payload else {
            return Err(wrong_size("RST_STREAM: wrong length"));
        };
        if id == 0 || self.is_idle(id) {
            return Err(Fault::protocol("RST_STREAM on an idle stream"));
        }
        let Some(stream) = self.streams.find_mut(id) else {
            self.guard.control(1)?;
            return Ok(None);
        };
        self.counters.resets_received += 1;
        // Work that was begun for nothing. Once the answer has begun, giving up is ordinary.
        if self.role == Role::Server && !stream.state.has(State::ANSWERED) {
            self.guard.cancelled()?;
        }
        let Some(stream) = self.streams.remove(id) else { return Ok(None) };
        self.ends.push(id);
        self.credit(stream.unreleased, out);
        let code = ErrorCode(u32::from_be_bytes([a, b, c, d]));
        Ok(Some(Event::Reset { stream: id, tag: stream.tag, code, by_peer: true }))
    }

    fn take_settings<'a>(
        &mut self,
        header: Header,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Decoded<'a> {
        if header.stream != 0 {
            return Err(Fault::protocol("SETTINGS on a stream"));
        }
        if header.has(FLAG_ACK) {
            return self.take_settings_acknowledgement(payload);
        }
        if !payload.len().is_multiple_of(6) {
            return Err(wrong_size("SETTINGS: wrong length"));
        }
        self.guard.control(1 + (payload.len() / 24) as u32)?;
        let first = !std::mem::replace(&mut self.phase.settings_seen, true);
        let mut before = self.peer;
        if first && self.role == Role::Client {
            before.streams_max = UNLIMITED_STREAMS;
        }
        let after = before.updated(payload, self.role).map_err(|(c, reason)| Fault(c, reason))?;
        let delta = i64::from(after.stream_window_bytes) - i64::from(before.stream_window_bytes);
        self.peer = after;
        self.peer.streams_max = after.streams_max.min(UNLIMITED_STREAMS);
        self.encoder.set_peer_table_bytes(after.header_table_bytes as usize);
        if delta != 0 {
            self.shift_send_windows(delta)?;
        }
        self.acknowledge(|out| frame::write_header(0, frame::SETTINGS, FLAG_ACK, 0, out), out)?;
        Ok((first && self.role == Role::Client).then_some(Event::Ready))
    }

    /// The peer's initial window changed: so do the windows of all streams, below 0 if need be
    /// (RFC 9113 §6.9.2).
    fn shift_send_windows(&mut self, delta: i64) -> Result<(), Fault> {
        for stream in self.streams.iter_mut() {
            stream.send_window += delta;
            if stream.send_window > frame::WINDOW_BYTES_MAX {
                let reason = "SETTINGS make a window larger than 2^31-1";
                return Err(Fault(ErrorCode::FLOW_CONTROL_ERROR, reason));
            }
            let opened = delta > 0 && stream.send_window > 0 && stream.state.has(State::BLOCKED);
            if opened && !stream.state.has(State::QUEUED) {
                stream.state.set(State::QUEUED);
                self.queue.push_back(stream.id);
            }
        }
        Ok(())
    }

    fn take_settings_acknowledgement<'a>(&mut self, payload: &[u8]) -> Decoded<'a> {
        if !payload.is_empty() {
            return Err(wrong_size("SETTINGS acknowledgement with a payload"));
        }
        if !self.phase.settings_seen {
            return Err(Fault::protocol("first frame is not SETTINGS"));
        }
        self.guard.control(1)?;
        if !std::mem::replace(&mut self.phase.settings_acknowledged, true) {
            self.decoder.set_size_limit(self.settings.header_table_bytes as usize);
            // Until now the peer may have counted with the default.
            let excess = i64::from(frame::WINDOW_BYTES_DEFAULT)
                - i64::from(self.settings.stream_window_bytes);
            if excess > 0 {
                for stream in self.streams.iter_mut() {
                    stream.receive_window -= excess;
                }
            }
        }
        Ok(None)
    }

    /// Window of a new stream: until our settings are acknowledged the peer may count with the default.
    pub(in crate::http2::connection) fn stream_window(&self) -> i64 {
        let announced = self.settings.stream_window_bytes;
        i64::from(if self.phase.settings_acknowledged {
            announced
        } else {
            announced.max(frame::WINDOW_BYTES_DEFAULT)
        })
    }

    /// Writes an answer that the peer can ask for without end.
    fn acknowledge(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>),
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let before = out.len();
        if before < self.out_bytes_seen {
            self.acknowledgement_bytes = 0;
        }
        write(out);
        self.acknowledgement_bytes += out.len() - before;
        self.out_bytes_seen = out.len();
        if self.acknowledgement_bytes > ACKNOWLEDGEMENT_BYTES_MAX {
            let reason = "too many acknowledgements unread";
            return Err(Fault(ErrorCode::ENHANCE_YOUR_CALM, reason));
        }
        Ok(())
    }

    fn take_ping<'a>(&mut self, header: Header, payload: &[u8], out: &mut Vec<u8>) -> Decoded<'a> {
        if header.stream != 0 {
            return Err(Fault::protocol("PING on a stream"));
        }
        let Ok(payload) = <[u8; 8]>::try_from(payload) else {
            return Err(wrong_size("PING: wrong length"));
        };
        self.guard.control(1)?;
        if header.has(FLAG_ACK) {
            return Ok(Some(Event::Pong(payload)));
        }
        self.acknowledge(|out| frame::write_ping(FLAG_ACK, payload, out), out)?;
        Ok(None)
    }

    fn take_goaway<'a>(&mut self, id: StreamId, payload: &[u8]) -> Decoded<'a> {
        if id != 0 {
            return Err(Fault::protocol("GOAWAY on a stream"));
        }
        let Some((&[a, b, c, d, e, f, g, h], _)) = payload.split_first_chunk::<8>() else {
            return Err(wrong_size("GOAWAY: too short"));
        };
        self.guard.control(1)?;
        let last_stream = u32::from_be_bytes([a & 0x7f, b, c, d]);
        let code = ErrorCode(u32::from_be_bytes([e, f, g, h]));
        self.phase.peer_leaving = true;
        if self.role == Role::Client {
            self.phase.closing = true;
            self.unprocessed_above = Some(last_stream);
        }
        Ok(Some(Event::GoAway { last_stream, code }))
    }

    /// Client: one of the streams that the peer's GOAWAY left out.
    #[cold]
    pub(super) fn report_unprocessed<'a>(&mut self, out: &mut Vec<u8>) -> Option<Event<'a>> {
        let above = self.unprocessed_above?;
        let Some(id) = self.streams.iter_mut().map(|s| s.id).find(|&id| id > above) else {
            self.unprocessed_above = None;
            return None;
        };
        let stream = self.streams.remove(id)?;
        self.resets.push(id);
        self.credit(stream.unreleased, out);
        let code = ErrorCode::REFUSED_STREAM;
        Some(Event::Reset { stream: id, tag: stream.tag, code, by_peer: true })
    }

    /// Priorities are ignored (RFC 9113 §5.3.2), but not what cannot be one.
    fn take_priority<'a>(
        &mut self,
        id: StreamId,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Decoded<'a> {
        if id == 0 {
            return Err(Fault::protocol("PRIORITY needs a stream"));
        }
        self.guard.control(1)?;
        let code = match <&[u8; 5]>::try_from(payload) {
            Ok(priority) if dependency(priority) == id => ErrorCode::PROTOCOL_ERROR,
            Ok(_) => return Ok(None),
            Err(_) => ErrorCode::FRAME_SIZE_ERROR,
        };
        if self.streams.find(id).is_some() {
            return self.refuse(id, code, out);
        }
        Err(Fault(code, "PRIORITY malformed"))
    }
}
