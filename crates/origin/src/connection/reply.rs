//! From a request to its answer, on the connection that it came by.

use std::sync::atomic::Ordering;

use bulkhead_codec::{ErrorCode, StreamId, Tag};
use bulkhead_message::{BodyLength, Known, RequestHead, ResponseHead, Version};

use super::exchange::{Exchange, Finish, Intake};
use super::{Connection, OUT_BYTES_MAX, Shared, Wait};
use crate::answer::{self, Answer, Method};
use crate::feed;
use crate::session;
use crate::websocket::{Behaviour, WebSocket};

/// Request field that the feed repeats in its answer, so that a client can see which subject the
/// gateway found in the token.
const SUBJECT: &[u8] = b"x-token-subject";

/// Longest body that `/collect` takes; a longer one is a reset.
const COLLECTED_BYTES_MAX: usize = 16 << 20;
/// Bytes of which nothing more is known (RFC 2046 §4.5.1).
const OCTETS: &[u8] = b"application/octet-stream";

impl Connection {
    pub(super) fn begin(
        &mut self,
        stream: StreamId,
        request: &RequestHead,
        end: bool,
        shared: &mut Shared,
    ) {
        let (endpoint, answer) = answer::of(request);
        shared.stats.count(endpoint);
        shared.response.clear();
        shared.body.clear();
        shared.head_only = request.method() == bulkhead_message::Method::Head;
        match answer {
            Answer::Feed(user) => {
                feed::push_json(user, &mut shared.body);
                if let Some(subject) = request.fields.get_named(SUBJECT) {
                    shared.response.fields.push(SUBJECT, subject);
                }
                self.reply(stream, 200, b"application/json", shared);
            }
            Answer::Grpc(method) => self.begin_grpc(stream, request, method, end, shared),
            Answer::Echo => self.begin_echo(stream, request, end, shared),
            Answer::Collect if end => self.reply(stream, 200, OCTETS, shared),
            Answer::Collect => {
                self.start(stream, Intake::Collect, Method::Get);
            }
            Answer::Status(404) if bulkhead_message::is_grpc(request) => {
                shared.response.fields.push_known(Known::GrpcStatus, b"12");
                self.reply(stream, 200, b"application/grpc", shared);
            }
            Answer::Status(code) => {
                shared.body.extend_from_slice(format!("status {code}\n").as_bytes());
                self.reply(stream, code, b"text/plain", shared);
            }
            Answer::Delay(ms) | Answer::Busy(ms) => {
                let tag = self.start(stream, Intake::Ignore, Method::Get);
                let in_slot = matches!(answer, Answer::Busy(_));
                shared.waits.push(Wait { ms, in_slot, stream, tag });
            }
            Answer::Bytes(length) => self.begin_bytes(stream, length, shared),
            Answer::Headers => {
                answer::push_headers_json(request, &mut shared.body);
                self.reply(stream, 200, b"application/json", shared);
            }
            Answer::OpenSession => {
                let number = shared.stats.sessions.fetch_add(1, Ordering::Relaxed);
                session::push_json(number, &mut shared.body);
                self.reply(stream, 201, b"application/json", shared);
            }
            Answer::Session(number) => {
                session::push_json(number, &mut shared.body);
                self.reply(stream, 200, b"application/json", shared);
            }
            Answer::Reset => {
                if let Some(codec) = &mut self.codec {
                    codec.reset(stream, ErrorCode::INTERNAL_ERROR, &mut self.out);
                }
            }
            Answer::Close => self.close = true,
            Answer::WebSocket(behaviour) => {
                self.begin_websocket(stream, request, behaviour, shared)
            }
        }
    }

    /// Sends a whole answer: the body is in `shared.body`.
    fn reply(&mut self, stream: StreamId, status: u16, content_type: &[u8], shared: &mut Shared) {
        if matches!(status, 204 | 304) {
            shared.body.clear();
        }
        let length = shared.body.len() as u64;
        prepare(&mut shared.response, status, content_type, Some(length));
        let Some(codec) = &mut self.codec else { return };
        let end = length == 0 || shared.head_only;
        if codec.respond(stream, &shared.response, end, &mut self.out).is_err() || end {
            return;
        }
        let taken = codec.send_data(stream, &shared.body, true, &mut self.out);
        if let Ok(taken) = taken
            && taken < shared.body.len()
        {
            let tag = self.start(stream, Intake::Ignore, Method::Get);
            if let Some(exchange) = self.exchange(tag) {
                exchange.outgoing.extend_from_slice(&shared.body[taken..]);
                exchange.finish = Finish::End;
            }
        }
    }

    fn begin_grpc(
        &mut self,
        stream: StreamId,
        request: &RequestHead,
        method: Method,
        end: bool,
        shared: &mut Shared,
    ) {
        if let Some(subject) = request.fields.get_named(SUBJECT) {
            shared.response.fields.push(SUBJECT, subject);
        }
        prepare(&mut shared.response, 200, b"application/grpc", None);
        let Some(codec) = &mut self.codec else { return };
        if codec.respond(stream, &shared.response, false, &mut self.out).is_err() {
            return;
        }
        let tag = self.start(stream, Intake::Grpc, method);
        if end {
            self.on_data(stream, tag, &[], 0, true, shared);
        }
    }

    fn begin_echo(
        &mut self,
        stream: StreamId,
        request: &RequestHead,
        end: bool,
        shared: &mut Shared,
    ) {
        let length = match request.body {
            _ if end => Some(0),
            BodyLength::None => Some(0),
            BodyLength::Known(length) => Some(length),
            BodyLength::Unknown => None,
        };
        let content_type = request.fields.get(Known::ContentType);
        let content_type = content_type.unwrap_or(OCTETS);
        prepare(&mut shared.response, 200, content_type, length);
        let Some(codec) = &mut self.codec else { return };
        if codec.respond(stream, &shared.response, end, &mut self.out).is_ok() && !end {
            self.start(stream, Intake::Echo, Method::Get);
        }
    }

    /// The connection is a WebSocket from here on, or the request is refused.
    fn begin_websocket(
        &mut self,
        stream: StreamId,
        request: &RequestHead,
        behaviour: Behaviour,
        shared: &mut Shared,
    ) {
        if let Some(websocket) = WebSocket::accept(request, behaviour, &mut self.out) {
            self.websocket = Some(Box::new(websocket));
            self.codec = None;
        } else {
            shared.response.fields.push_known(Known::Upgrade, b"websocket");
            shared.body.extend_from_slice(b"WebSocket only\n");
            self.reply(stream, 426, b"text/plain", shared);
        }
    }

    fn begin_bytes(&mut self, stream: StreamId, length: u64, shared: &mut Shared) {
        prepare(&mut shared.response, 200, OCTETS, Some(length));
        let Some(codec) = &mut self.codec else { return };
        let end = length == 0 || shared.head_only;
        if codec.respond(stream, &shared.response, end, &mut self.out).is_err() || end {
            return;
        }
        let tag = self.start(stream, Intake::Ignore, Method::Get);
        if let Some(exchange) = self.exchange(tag) {
            exchange.filler = length;
            exchange.finish = Finish::End;
        }
        self.pump(stream, tag, shared);
    }

    /// The wait of `/delay/{ms}` is over. The stream may be gone, and its place taken by another.
    pub(crate) fn delay_is_over(
        &mut self,
        stream: StreamId,
        tag: Tag,
        ms: u64,
        shared: &mut Shared,
    ) {
        let mut waiting = false;
        if let Some(codec) = &mut self.codec {
            codec.for_each_stream(|live, live_tag| waiting |= live == stream && *live_tag == tag);
        }
        if waiting {
            self.finish_exchange(stream, tag);
            shared.response.clear();
            shared.body.clear();
            shared.head_only = false;
            shared.body.extend_from_slice(format!("after {ms} ms\n").as_bytes());
            self.reply(stream, 200, b"text/plain", shared);
        }
    }

    pub(super) fn on_data(
        &mut self,
        stream: StreamId,
        tag: Tag,
        bytes: &[u8],
        flow_bytes: u32,
        end: bool,
        shared: &mut Shared,
    ) {
        let Some(exchange) = self.exchange(tag) else {
            if let Some(codec) = &mut self.codec {
                codec.release(stream, flow_bytes, &mut self.out);
            }
            return;
        };
        exchange.held += flow_bytes;
        match exchange.intake {
            Intake::Ignore => {}
            Intake::Echo => {
                exchange.outgoing.extend_from_slice(bytes);
                if end {
                    exchange.finish = Finish::End;
                }
            }
            Intake::Collect => return self.collect(stream, tag, bytes, end, shared),
            Intake::Grpc if exchange.finish == Finish::Open => {
                let Exchange { call, outgoing, .. } = exchange;
                if let Err(status) = call.take(bytes, outgoing) {
                    exchange.finish = Finish::Trailers(status);
                } else if end {
                    exchange.finish = Finish::Trailers(call.finish(outgoing));
                }
            }
            Intake::Grpc => {}
        }
        self.pump(stream, tag, shared);
    }

    /// Keeps a piece of the body; the last one is answered with the whole of it.
    fn collect(
        &mut self,
        stream: StreamId,
        tag: Tag,
        bytes: &[u8],
        end: bool,
        shared: &mut Shared,
    ) {
        let Some(exchange) = self.exchange(tag) else { return };
        exchange.outgoing.extend_from_slice(bytes);
        let too_long = exchange.outgoing.len() > COLLECTED_BYTES_MAX;
        let held = std::mem::take(&mut exchange.held);
        if end {
            shared.response.clear();
            shared.body.clear();
            shared.head_only = false;
            shared.body.append(&mut exchange.outgoing);
        }
        if let Some(codec) = &mut self.codec {
            codec.release(stream, held, &mut self.out);
            if too_long {
                codec.reset(stream, ErrorCode::CANCEL, &mut self.out);
                self.forget(tag);
                return;
            }
        }
        if end {
            self.finish_exchange(stream, tag);
            self.reply(stream, 200, OCTETS, shared);
        }
    }

    /// Sends as much of an exchange's answer as flow control and `out` allow.
    pub(super) fn pump(&mut self, stream: StreamId, tag: Tag, shared: &mut Shared) {
        let Some(index) = index_of(tag) else { return };
        let (Some(codec), Some(exchange)) = (&mut self.codec, self.exchanges.get_mut(index)) else {
            return;
        };
        if exchange.stream != stream {
            // It ended after it was put on the list, and its place is another's now.
            return;
        }
        loop {
            exchange.refill();
            let rest = &exchange.outgoing[exchange.sent..];
            let last = exchange.filler == 0 && exchange.finish == Finish::End;
            if rest.is_empty() && !last {
                break;
            }
            if self.out.len() - self.sent > OUT_BYTES_MAX {
                if !self.stalled.contains(&(stream, tag)) {
                    self.stalled.push((stream, tag));
                }
                return;
            }
            let Ok(taken) = codec.send_data(stream, rest, last, &mut self.out) else {
                self.finish_exchange(stream, tag);
                return;
            };
            let all = taken == rest.len();
            exchange.sent += taken;
            if !all {
                return;
            }
            if last {
                codec.release(stream, exchange.held, &mut self.out);
                self.finish_exchange(stream, tag);
                return;
            }
        }
        codec.release(stream, std::mem::take(&mut exchange.held), &mut self.out);
        if let Finish::Trailers(status) = exchange.finish {
            shared.trailers.clear();
            let text = [b'0' + status % 10];
            shared.trailers.push_known(Known::GrpcStatus, &text);
            // A stream that is gone needs no trailers.
            let _gone = codec.send_trailers(stream, &shared.trailers, &mut self.out);
            self.finish_exchange(stream, tag);
        }
    }

    fn start(&mut self, stream: StreamId, intake: Intake, method: Method) -> Tag {
        let index = self.free.pop().unwrap_or_else(|| {
            self.exchanges.push(Exchange::default());
            self.exchanges.len() - 1
        });
        self.exchanges[index].restart(stream, intake, method);
        let tag = index as Tag + 1;
        if let Some(codec) = &mut self.codec {
            codec.set_tag(stream, tag);
        }
        tag
    }

    fn exchange(&mut self, tag: Tag) -> Option<&mut Exchange> {
        index_of(tag).and_then(|index| self.exchanges.get_mut(index))
    }

    fn finish_exchange(&mut self, stream: StreamId, tag: Tag) {
        if let Some(codec) = &mut self.codec {
            codec.set_tag(stream, 0);
        }
        self.forget(tag);
    }

    /// Gives the place of an exchange back.
    pub(super) fn forget(&mut self, tag: Tag) {
        if let Some(index) = index_of(tag)
            && let Some(exchange) = self.exchanges.get_mut(index)
            && std::mem::take(&mut exchange.stream) != 0
        {
            self.stalled.retain(|&(_, stalled)| stalled != tag);
            self.free.push(index);
        }
    }
}

/// Tag 0 is a stream without an exchange.
fn index_of(tag: Tag) -> Option<usize> {
    usize::try_from(tag).ok()?.checked_sub(1)
}

fn prepare(head: &mut ResponseHead, status: u16, content_type: &[u8], length: Option<u64>) {
    head.status = status;
    head.version = Version::Http2;
    head.body = length.map_or(BodyLength::Unknown, BodyLength::Known);
    head.fields.push_known(Known::ContentType, content_type);
    if let Some(length) = length.filter(|_| !matches!(status, 204 | 304)) {
        let mut text = Vec::with_capacity(20);
        feed::push_decimal(length, &mut text);
        head.fields.push_known(Known::ContentLength, &text);
    }
}
