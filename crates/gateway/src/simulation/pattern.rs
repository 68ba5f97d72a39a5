//! Bodies that say of each byte which message it is of, and where in it.

/// Bytes `8 * number ..` of the body of message `id`.
fn word(id: u64, number: usize) -> [u8; 8] {
    let mixed = (id << 32 ^ number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).to_le_bytes()
}

/// `count` bytes from `offset`.
pub(super) fn bytes(id: u64, offset: usize, count: usize) -> Vec<u8> {
    let words = (offset / 8..(offset + count).div_ceil(8)).flat_map(|number| word(id, number));
    words.skip(offset % 8).take(count).collect()
}

/// Whether these are the bytes from `offset`.
pub(super) fn matches(id: u64, offset: usize, found: &[u8]) -> bool {
    bytes(id, offset, found.len()) == found
}
