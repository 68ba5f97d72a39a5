//! Bodies that say of each byte which message it is of, and where in it.

/// Byte `offset` of the body of message `id`.
pub(super) fn byte(id: u64, offset: usize) -> u8 {
    let word = (id << 32 | offset as u64 >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (word >> (8 * (offset & 7))) as u8
}

/// `count` bytes from `offset`.
pub(super) fn bytes(id: u64, offset: usize, count: usize) -> Vec<u8> {
    (offset..offset + count).map(|offset| byte(id, offset)).collect()
}

/// Whether these are the bytes from `offset`.
pub(super) fn matches(id: u64, offset: usize, bytes: &[u8]) -> bool {
    bytes.iter().enumerate().all(|(index, &found)| found == byte(id, offset + index))
}
