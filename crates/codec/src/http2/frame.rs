//! Frame headers and the small frames (RFC 9113 §4, §6). Layout only: what frames mean stands elsewhere.

use crate::{ErrorCode, StreamId};

/// Bytes of a frame header.
pub(super) const HEADER_BYTES: usize = 9;

/// SETTINGS_MAX_FRAME_SIZE at the beginning, and the most that we put into one frame.
pub(super) const PAYLOAD_BYTES_DEFAULT: usize = 16_384;

/// Largest window (RFC 9113 §6.9.1).
pub(super) const WINDOW_BYTES_MAX: i64 = 0x7fff_ffff;

/// Window of a connection at its beginning, and of streams until settings say otherwise.
pub(super) const WINDOW_BYTES_DEFAULT: u32 = 65_535;

/// Largest stream id.
pub(super) const STREAM_ID_MAX: StreamId = 0x7fff_ffff;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const FLAG_END_STREAM: u8 = 0x1;
pub(super) const FLAG_ACK: u8 = 0x1;
pub(super) const FLAG_END_HEADERS: u8 = 0x4;
pub(super) const FLAG_PADDED: u8 = 0x8;
pub(super) const FLAG_PRIORITY: u8 = 0x20;

/// A frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) len: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: StreamId,
}

impl Header {
    /// The header at the front of `input`; `None` until it is whole. The reserved bit is ignored.
    #[inline]
    pub(super) fn parse(input: &[u8]) -> Option<Self> {
        let &[a, b, c, kind, flags, s, t, u, v] = input.first_chunk::<HEADER_BYTES>()?;
        Some(Self {
            len: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes([s & 0x7f, t, u, v]),
        })
    }

    #[inline]
    pub(super) const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Appends a frame header.
#[inline]
pub(super) fn write_header(len: usize, kind: u8, flags: u8, stream: StreamId, out: &mut Vec<u8>) {
    let [_, a, b, c] = (len as u32).to_be_bytes();
    let [s, t, u, v] = stream.to_be_bytes();
    out.extend_from_slice(&[a, b, c, kind, flags, s, t, u, v]);
}

/// Appends a frame of up to 8 bytes in one go.
#[inline]
fn write_word<const N: usize>(
    kind: u8,
    flags: u8,
    stream: StreamId,
    payload: [u8; N],
    out: &mut Vec<u8>,
) {
    write_header(N, kind, flags, stream, out);
    out.extend_from_slice(&payload);
}

pub(super) fn write_reset(stream: StreamId, code: ErrorCode, out: &mut Vec<u8>) {
    write_word(RST_STREAM, 0, stream, code.0.to_be_bytes(), out);
}

pub(super) fn write_window_update(stream: StreamId, bytes: u32, out: &mut Vec<u8>) {
    write_word(WINDOW_UPDATE, 0, stream, bytes.to_be_bytes(), out);
}

pub(super) fn write_ping(flags: u8, payload: [u8; 8], out: &mut Vec<u8>) {
    write_word(PING, flags, 0, payload, out);
}

pub(super) fn write_goaway(last: StreamId, code: ErrorCode, reason: &str, out: &mut Vec<u8>) {
    write_header(8 + reason.len(), GOAWAY, 0, 0, out);
    out.extend_from_slice(&last.to_be_bytes());
    out.extend_from_slice(&code.0.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

/// Sets the length of the frame whose header begins at `at` to all that stands behind it, cutting it
/// into CONTINUATION frames if the peer takes no frame as large (RFC 9113 §4.3).
#[inline]
pub(super) fn finish_block(at: usize, payload_max: usize, out: &mut Vec<u8>) {
    let len = out.len().saturating_sub(at + HEADER_BYTES);
    if len > payload_max {
        return split_block(at, payload_max, out);
    }
    let [_, a, b, c] = (len as u32).to_be_bytes();
    if let Some(slot) = out.get_mut(at..at + 3) {
        slot.copy_from_slice(&[a, b, c]);
    }
}

#[cold]
fn split_block(at: usize, payload_max: usize, out: &mut Vec<u8>) {
    let frame = out.split_off(at);
    let Some(header) = Header::parse(&frame) else { return };
    let block = frame.get(HEADER_BYTES..).unwrap_or(&[]);
    let mut pieces = block.chunks(payload_max).peekable();
    let mut kind = HEADERS;
    let mut flags = header.flags & !FLAG_END_HEADERS;
    while let Some(piece) = pieces.next() {
        let last = if pieces.peek().is_none() { FLAG_END_HEADERS } else { 0 };
        write_header(piece.len(), kind, flags | last, header.stream, out);
        out.extend_from_slice(piece);
        kind = CONTINUATION;
        flags = 0;
    }
}
