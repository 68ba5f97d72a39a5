//! Frames as bytes (RFC 6455 §5.2): server frames read, client frames written.
//!
//! Headers are tungstenite's business; here payloads stay where they are, so that a message is never
//! copied on its way in. Never looks into a payload.

use std::io::Cursor;

use bulkhead_codec::ConnectionError;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::OpCode;

use super::broken;

/// Longest payload of a control frame (§5.5), in bytes.
const CONTROL_BYTES_MAX: u64 = 125;

/// The beginning of a frame.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) opcode: OpCode,
    pub(super) last: bool,
    pub(super) length: u64,
    /// Payload of a control frame; that of a data frame follows in the input.
    pub(super) control: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Takes a data frame's header, or a whole control frame; `None`: it is not all there yet.
    pub(super) fn take(input: &mut &'a [u8]) -> Result<Option<Self>, ConnectionError> {
        let mut cursor = Cursor::new(*input);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| broken("an unknown opcode"))?;
        let Some((header, length)) = parsed else { return Ok(None) };
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(broken("reserved bits without an extension"));
        }
        if header.mask.is_some() {
            return Err(broken("a masked frame from a server"));
        }
        let after = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        let Some((_, rest)) = input.split_at_checked(after) else { return Ok(None) };
        let mut frame = Self { opcode: header.opcode, last: header.is_final, length, control: &[] };
        if let OpCode::Data(_) = header.opcode {
            *input = rest;
            return Ok(Some(frame));
        }
        if !header.is_final || length > CONTROL_BYTES_MAX {
            return Err(broken("a control frame in parts, or of more than 125 bytes"));
        }
        // At most 125, as just seen.
        let Some((payload, rest)) = rest.split_at_checked(length as usize) else {
            return Ok(None);
        };
        frame.control = payload;
        *input = rest;
        Ok(Some(frame))
    }
}

/// Appends a whole frame with its payload masked.
pub(super) fn push_frame(opcode: OpCode, payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    let header = FrameHeader { opcode, mask: Some(mask), ..FrameHeader::default() };
    // A vector takes all that is written to it.
    let _written = header.format(payload.len() as u64, out);
    let start = out.len();
    out.extend_from_slice(payload);
    apply_mask(out.get_mut(start..).unwrap_or_default(), mask);
}

/// §5.3, eight bytes at a time.
fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let (words, rest) = payload.as_chunks_mut::<8>();
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (place, byte) in rest.iter_mut().enumerate() {
        *byte ^= mask[place % 4];
    }
}
