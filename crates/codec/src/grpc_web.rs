//! gRPC-Web ⇄ gRPC (PROTOCOL-WEB of the gRPC project): heads, bodies and trailers, piece by piece.
//!
//! A request differs from one of gRPC by its content type, and in the text form by base64. A
//! response has its trailers as a last frame of the body, marked by the top bit of its first byte.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bulkhead_message::{BodyLength, Fields, Known, RequestHead, ResponseHead, has_grpc_type};

const GRPC: &[u8] = b"application/grpc";
const WEB: &[u8] = b"application/grpc-web";
const TEXT: &[u8] = b"application/grpc-web-text";

/// First byte of the frame that holds the trailers.
const TRAILERS: u8 = 0x80;

/// The body is not base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the gRPC-Web text is not base64")]
pub struct NotBase64;

/// One call. Plain data: what it keeps of a body is at most three characters.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Of the request's text form; `None`: binary.
    request: Option<TextDecoder>,
    /// The response is to be in text form.
    response_text: bool,
    /// The response is one of gRPC, so it is translated.
    translates: bool,
}

impl Call {
    /// Makes a head of gRPC out of one of gRPC-Web. `None`: it is none, and stays as it is.
    pub fn begin(head: &mut RequestHead) -> Option<Self> {
        let content_type = head.fields.get(Known::ContentType)?;
        let (is_text, subtype) = split(content_type)?;
        let content_type = [GRPC, subtype].concat();
        let response_text = match accepted(&head.fields) {
            Some(is_text) => is_text,
            None => is_text,
        };
        head.fields.set(Known::ContentType, &content_type);
        head.fields.set(Known::Te, b"trailers");
        if is_text {
            head.fields.remove(Known::ContentLength);
            if head.body != BodyLength::None {
                head.body = BodyLength::Unknown;
            }
        }
        let request = is_text.then(TextDecoder::default);
        Some(Self { request, response_text, translates: false })
    }

    /// A piece of request body, as gRPC has it. `end`: it is the last.
    ///
    /// # Errors
    /// [`NotBase64`], also when the body ends within a group.
    pub fn request_data<'a>(
        &mut self,
        bytes: &'a [u8],
        end: bool,
    ) -> Result<Cow<'a, [u8]>, NotBase64> {
        let Some(decoder) = &mut self.request else { return Ok(Cow::Borrowed(bytes)) };
        let mut decoded = Vec::with_capacity(bytes.len() / 4 * 3 + 3);
        decoder.decode(bytes, &mut decoded)?;
        if end {
            decoder.finish()?;
        }
        Ok(Cow::Owned(decoded))
    }

    /// Makes a response head of gRPC one of gRPC-Web. One that is not of gRPC stays as it is, and so
    /// do its body and trailers.
    pub fn response_head(&mut self, head: &mut ResponseHead) {
        self.translates = has_grpc_type(&head.fields);
        if !self.translates {
            return;
        }
        let name = if self.response_text { TEXT } else { WEB };
        let content_type = head.fields.get(Known::ContentType).unwrap_or(GRPC);
        let content_type = [name, content_type.get(GRPC.len()..).unwrap_or(&[])].concat();
        head.fields.set(Known::ContentType, &content_type);
        if let BodyLength::Known(_) = head.body {
            head.fields.remove(Known::ContentLength);
            head.body = BodyLength::Unknown;
        }
    }

    /// Whether the response is one of gRPC-Web: its trailers then go into the body.
    pub const fn translates(&self) -> bool {
        self.translates
    }

    /// Whether what was passed on of the response can be taken back byte for byte.
    pub const fn is_binary(&self) -> bool {
        !self.response_text
    }

    /// A piece of response body. In the text form each piece is padded by itself, so that none of it
    /// waits for the next.
    pub fn response_data<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.translates && self.response_text && !bytes.is_empty() {
            Cow::Owned(STANDARD.encode(bytes).into_bytes())
        } else {
            Cow::Borrowed(bytes)
        }
    }

    /// The frame that ends the response.
    pub fn trailers(&self, trailers: &Fields) -> Vec<u8> {
        let mut frame = vec![TRAILERS, 0, 0, 0, 0];
        for field in trailers.iter() {
            frame.extend_from_slice(field.name);
            frame.extend_from_slice(b": ");
            frame.extend_from_slice(field.value);
            frame.extend_from_slice(b"\r\n");
        }
        // Trailers are bounded by `head_bytes_max`, far below 4 GiB.
        let length = u32::try_from(frame.len() - 5).unwrap_or(u32::MAX).to_be_bytes();
        for (place, byte) in frame.iter_mut().skip(1).zip(length) {
            *place = byte;
        }
        if self.response_text { STANDARD.encode(frame).into_bytes() } else { frame }
    }
}

/// Whether a content type is of the text form, and what follows its name (`+proto`).
fn split(content_type: &[u8]) -> Option<(bool, &[u8])> {
    let prefixed = |name: &[u8]| {
        let (start, rest) = content_type.split_at_checked(name.len())?;
        let ends = matches!(rest.first(), None | Some(b'+' | b';' | b' '));
        (start.eq_ignore_ascii_case(name) && ends).then_some(rest)
    };
    prefixed(TEXT).map(|rest| (true, rest)).or_else(|| prefixed(WEB).map(|rest| (false, rest)))
}

/// Whether `accept` asks for the text form; `None`: it names neither.
fn accepted(fields: &Fields) -> Option<bool> {
    fields
        .get_all(Known::Accept)
        .flat_map(|value| value.split(|&byte| byte == b','))
        .find_map(|range| split(bulkhead_message::trim_ows(range)))
        .map(|(is_text, _)| is_text)
}

/// Base64 that may be cut anywhere, and padded anywhere between its groups of four.
#[derive(Clone, Copy, Debug, Default)]
struct TextDecoder {
    group: [u8; 4],
    len: usize,
}

impl TextDecoder {
    fn decode(&mut self, mut text: &[u8], out: &mut Vec<u8>) -> Result<(), NotBase64> {
        while let Some((&byte, rest)) = text.split_first() {
            if self.len == 0 {
                // As many whole groups as there are up to the next padding, at once.
                let plain = memchr::memchr(b'=', text).unwrap_or(text.len());
                let (groups, rest) = text.split_at_checked(plain / 4 * 4).unwrap_or((text, &[]));
                if !groups.is_empty() {
                    STANDARD.decode_vec(groups, out).map_err(|_| NotBase64)?;
                    text = rest;
                    continue;
                }
            }
            if let Some(place) = self.group.get_mut(self.len) {
                *place = byte;
            }
            self.len += 1;
            text = rest;
            if self.len == self.group.len() {
                self.len = 0;
                STANDARD.decode_vec(self.group, out).map_err(|_| NotBase64)?;
            }
        }
        Ok(())
    }

    const fn finish(&self) -> Result<(), NotBase64> {
        if self.len == 0 { Ok(()) } else { Err(NotBase64) }
    }
}

#[cfg(test)]
mod tests;
