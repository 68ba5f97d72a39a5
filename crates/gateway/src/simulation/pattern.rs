//! Bodies that say of each byte which message it is of, and where in it.

use bulkhead_codec::{Codec, StreamId};

/// Bytes that are made at a time: most of the time a window has room for few.
const PIECE_BYTES: usize = 4_000;

/// Bytes `8 * number ..` of the body of message `id`.
fn word(id: u64, number: usize) -> [u8; 8] {
    let mixed = (id << 32 ^ number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).to_le_bytes()
}

/// `count` bytes from `offset`.
fn bytes(id: u64, offset: usize, count: usize) -> Vec<u8> {
    let (first, end) = (offset / 8, offset + count);
    let mut bytes = Vec::with_capacity(count + 16);
    for number in first..end.div_ceil(8) {
        bytes.extend_from_slice(&word(id, number));
    }
    bytes.truncate(end - 8 * first);
    bytes.drain(..offset % 8);
    bytes
}

/// Whether these are the bytes from `offset`.
pub(super) fn matches(id: u64, offset: usize, found: &[u8]) -> bool {
    bytes(id, offset, found.len()) == found
}

/// Sends what there is room for of a body of `length` bytes, of which `sent` were sent before. Gives how many
/// are now: all, if the stream is gone.
pub(super) fn send(
    codec: &mut Codec,
    stream: StreamId,
    (id, mut sent, length): (u64, usize, usize),
    out: &mut Vec<u8>,
) -> usize {
    while sent < length {
        let piece = bytes(id, sent, PIECE_BYTES.min(length - sent));
        let end = sent + piece.len() == length;
        // A stream that is gone already shows as a reset.
        let Ok(taken) = codec.send_data(stream, &piece, end, out) else { return length };
        sent += taken;
        if taken < piece.len() {
            break;
        }
    }
    sent
}
