//! Calls → bytes: heads, bodies, trailers.

use bulkhead_message::{BodyLength, Fields, Known, Method, RequestHead, ResponseHead, is_path};

use crate::{OpenError, Role, SendError, StreamId, Tag};

use super::connection::{Connection, Request};
use super::encode::{self, Unwritable};
use super::fields::{TrailerRule, decimal, lower, trailer_rule};
use super::receive::Receive;
use super::request::is_authority;
use super::response::Asked;
use super::tunnel;

/// What may be sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Send {
    /// No exchange is under way.
    Idle,
    /// Server: a response head.
    Head,
    /// So many bytes of body.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Server: bytes until the connection ends.
    UntilClose,
    /// Client: a tunnel's bytes, once the peer has agreed to it.
    Handshake,
    /// Bytes of a tunnel.
    Tunnel,
    /// Nothing: body of a message that can have none is thrown away.
    Discard,
    /// The message was ended.
    Done,
}

const INVALID_HEAD: SendError = SendError::Invalid("the head cannot be written in HTTP/1");

impl Connection {
    pub(super) fn send_request(
        &mut self,
        head: &RequestHead,
        end: bool,
        tag: Tag,
        out: &mut Vec<u8>,
    ) -> Result<StreamId, OpenError> {
        if self.role != Role::Client || self.must_close() {
            return Err(OpenError::Closing);
        }
        if self.live {
            return Err(OpenError::Full);
        }
        let start = out.len();
        let Ok(send) = write_request(head, end, out) else {
            out.truncate(start);
            return Err(OpenError::Closing);
        };
        let upgrade = !head.protocol().is_empty();
        let request = Request { asked: Asked::by(head.method()), upgrade, ..Request::default() };
        self.begin(tag, request, Receive::Head, if end { Send::Done } else { send });
        Ok(self.stream)
    }

    pub(super) fn send_response(
        &mut self,
        stream: StreamId,
        head: &ResponseHead,
        end: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if !self.is_open(stream) || self.send != Send::Head {
            return Err(SendError::Closed);
        }
        if !(100..1000).contains(&head.status) {
            return Err(INVALID_HEAD);
        }
        if head.is_interim() && head.status != 101 {
            return self.send_interim(head, out);
        }
        let (closing, awaits_continue) = (self.closing, self.request.awaits_continue);
        let start = out.len();
        let written = self.write_response(head, end, out);
        if written.is_err() {
            out.truncate(start);
            self.closing = closing;
            self.request.awaits_continue = awaits_continue;
            return Err(INVALID_HEAD);
        }
        if self.send == Send::Tunnel {
            self.become_tunnel();
        }
        if end {
            self.send = Send::Done;
            self.settle();
        }
        Ok(())
    }

    fn send_interim(&mut self, head: &ResponseHead, out: &mut Vec<u8>) -> Result<(), SendError> {
        // RFC 9110 §15.2: never to an HTTP/1.0 client.
        if self.request.http10 {
            return Ok(());
        }
        let start = out.len();
        encode::status_line(head.status, out);
        if write_fields(&head.fields, out).is_err() {
            out.truncate(start);
            return Err(INVALID_HEAD);
        }
        out.extend_from_slice(b"\r\n");
        self.request.awaits_continue &= head.status != 100;
        Ok(())
    }

    /// Writes a final head, and sets what body may follow.
    fn write_response(
        &mut self,
        head: &ResponseHead,
        end: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Unwritable> {
        encode::status_line(head.status, out);
        let send = self.write_response_framing(head, end, out)?;
        // Refused without a 100: the client may send the body or leave it out, and we could not
        // tell the one from the next request (RFC 9110 §10.1.1).
        self.closing |= self.request.awaits_continue;
        let agrees = self.agrees(head.status);
        if head.status == 101 {
            if !agrees {
                return Err(Unwritable);
            }
            out.extend_from_slice(b"connection: upgrade\r\n");
            for value in head.fields.get_all(Known::Upgrade) {
                write_known(Known::Upgrade, value, out)?;
            }
        } else if self.closing && !agrees {
            out.extend_from_slice(b"connection: close\r\n");
        } else if self.request.keep_alive {
            out.extend_from_slice(b"connection: keep-alive\r\n");
        }
        write_fields(&head.fields, out)?;
        out.extend_from_slice(b"\r\n");
        self.send = send;
        Ok(())
    }

    fn write_response_framing(
        &mut self,
        head: &ResponseHead,
        end: bool,
        out: &mut Vec<u8>,
    ) -> Result<Send, Unwritable> {
        let asked = self.request.asked;
        if asked.forbids_body(head.status) {
            // The length that a GET would have had may be told in these two cases only.
            if head.status == 304
                || (asked == Asked::Head && head.status >= 200 && head.status != 204)
            {
                let field = || head.fields.get(Known::ContentLength).and_then(decimal);
                let known = match head.body {
                    BodyLength::Known(length) => Some(length),
                    BodyLength::None | BodyLength::Unknown => field(),
                };
                if let Some(length) = known {
                    encode::content_length(length, out);
                }
            }
            return Ok(if self.agrees(head.status) { Send::Tunnel } else { Send::Discard });
        }
        match head.body {
            BodyLength::Known(length) if end && length > 0 => Err(Unwritable),
            BodyLength::Known(length) => {
                encode::content_length(length, out);
                Ok(Send::Length(length))
            }
            BodyLength::None | BodyLength::Unknown if end => {
                encode::content_length(0, out);
                Ok(Send::Length(0))
            }
            BodyLength::None | BodyLength::Unknown if self.request.http10 => {
                self.closing = true;
                Ok(Send::UntilClose)
            }
            BodyLength::None | BodyLength::Unknown => {
                out.extend_from_slice(b"transfer-encoding: chunked\r\n");
                Ok(Send::Chunked)
            }
        }
    }

    #[inline]
    pub(super) fn send_body(
        &mut self,
        stream: StreamId,
        bytes: &[u8],
        end: bool,
        out: &mut Vec<u8>,
    ) -> Result<usize, SendError> {
        if !self.is_open(stream) {
            return Err(SendError::Closed);
        }
        match self.send {
            Send::Length(left) => {
                let Some(left) = left.checked_sub(bytes.len() as u64) else {
                    return Err(SendError::Invalid("body longer than declared"));
                };
                out.extend_from_slice(bytes);
                self.send = Send::Length(left);
                // The peer waits for bytes that will not come: only a close can tell it.
                self.failed |= end && left > 0;
            }
            Send::Chunked => {
                if !bytes.is_empty() {
                    out.reserve(bytes.len() + 32);
                    encode::hexadecimal(bytes.len() as u64, out);
                    out.extend_from_slice(b"\r\n");
                    out.extend_from_slice(bytes);
                    out.extend_from_slice(b"\r\n");
                }
                if end {
                    out.extend_from_slice(b"0\r\n\r\n");
                }
            }
            Send::UntilClose | Send::Tunnel => out.extend_from_slice(bytes),
            Send::Discard => {}
            Send::Head => return Err(SendError::Invalid("body before the response head")),
            Send::Handshake => return Err(SendError::Invalid("a tunnel before its agreement")),
            Send::Idle | Send::Done => return Err(SendError::Closed),
        }
        if end {
            self.send = Send::Done;
            self.settle();
        }
        Ok(bytes.len())
    }

    pub(super) fn send_end(
        &mut self,
        stream: StreamId,
        trailers: &Fields,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let wanted = self.role == Role::Client || self.request.trailers;
        if !self.is_open(stream) || self.send != Send::Chunked || !wanted {
            return self.send_body(stream, &[], true, out).map(|_| ());
        }
        let start = out.len();
        out.extend_from_slice(b"0\r\n");
        for field in trailers.iter().filter(|f| trailer_rule(f.known) == TrailerRule::Keep) {
            if encode::field(field, out).is_err() {
                out.truncate(start);
                return Err(SendError::Invalid("the trailers cannot be written in HTTP/1"));
            }
        }
        out.extend_from_slice(b"\r\n");
        self.send = Send::Done;
        self.settle();
        Ok(())
    }

    /// Whether something may still be sent on `stream`.
    fn is_open(&self, stream: StreamId) -> bool {
        self.live && !self.failed && self.stream == stream
    }
}

fn write_request(head: &RequestHead, end: bool, out: &mut Vec<u8>) -> Result<Send, Unwritable> {
    let (method, authority) = (head.method_text(), head.authority());
    let valid_authority = authority.is_empty() || is_authority(authority);
    if method.is_empty() || !method.iter().all(|&b| lower(b) != 0) || !valid_authority {
        return Err(Unwritable);
    }
    let target = match head.method() {
        Method::Connect if head.protocol().is_empty() && !authority.is_empty() => authority,
        Method::Connect => return Err(Unwritable),
        Method::Options if head.target() == b"*" => b"*",
        _ if is_path(head.target()) => head.target(),
        _ => return Err(Unwritable),
    };
    out.extend_from_slice(method);
    out.push(b' ');
    out.extend_from_slice(target);
    out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    out.extend_from_slice(authority);
    out.extend_from_slice(b"\r\n");
    let send = write_request_framing(head, end, out)?;
    // RFC 9110 §10.1.4 and §7.8: both are for the next hop only, and must be named as such.
    match (head.fields.contains(Known::Te), !head.protocol().is_empty()) {
        (false, false) => {}
        (true, false) => out.extend_from_slice(b"connection: te\r\n"),
        (false, true) => out.extend_from_slice(b"connection: upgrade\r\n"),
        (true, true) => out.extend_from_slice(b"connection: te, upgrade\r\n"),
    }
    if !head.protocol().is_empty() {
        write_known(Known::Upgrade, head.protocol(), out)?;
    }
    write_fields(&head.fields, out)?;
    out.extend_from_slice(b"\r\n");
    Ok(send)
}

fn write_request_framing(
    head: &RequestHead,
    end: bool,
    out: &mut Vec<u8>,
) -> Result<Send, Unwritable> {
    let method = head.method();
    match head.body {
        BodyLength::Known(1..) if tunnel::is_asked_by(head) => Err(Unwritable),
        _ if tunnel::is_asked_by(head) => Ok(Send::Handshake),
        BodyLength::Known(length) if end && length > 0 => Err(Unwritable),
        BodyLength::Known(length) => {
            encode::content_length(length, out);
            Ok(Send::Length(length))
        }
        BodyLength::None | BodyLength::Unknown if end => {
            // RFC 9110 §8.6: said where the method gives a body a meaning.
            if matches!(method, Method::Post | Method::Put | Method::Patch) {
                encode::content_length(0, out);
            }
            Ok(Send::Done)
        }
        BodyLength::None | BodyLength::Unknown => {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
            Ok(Send::Chunked)
        }
    }
}

fn write_fields(fields: &Fields, out: &mut Vec<u8>) -> Result<(), Unwritable> {
    for field in fields.iter().filter(|field| !encode::is_ours(field.known)) {
        encode::field(field, out)?;
    }
    Ok(())
}

fn write_known(known: Known, value: &[u8], out: &mut Vec<u8>) -> Result<(), Unwritable> {
    let name = known.name().as_bytes();
    encode::field(bulkhead_message::FieldRef { known, name, value, sensitive: false }, out)
}
