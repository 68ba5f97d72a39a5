//! Integers with a prefix (RFC 7541 §5.1).

use super::HpackError;

/// Decodes the integer whose first byte was `first`, with `mask` covering its prefix bits.
/// At most five continuation bytes are read, and values stop at 2^32-1.
#[inline]
pub(super) fn decode(first: u8, mask: u8, rest: &mut &[u8]) -> Result<usize, HpackError> {
    let prefix = first & mask;
    if prefix < mask {
        return Ok(usize::from(prefix));
    }
    decode_long(u64::from(mask), rest)
}

fn decode_long(mut value: u64, rest: &mut &[u8]) -> Result<usize, HpackError> {
    for shift in [0, 7, 14, 21, 28] {
        let (&byte, tail) = rest.split_first().ok_or(HpackError::Truncated)?;
        *rest = tail;
        value += u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).map_err(|_| HpackError::Integer)?;
            return Ok(value as usize);
        }
    }
    Err(HpackError::Integer)
}

/// Appends `value` behind the `flags` bits that stand above the prefix `mask`.
#[inline]
pub(super) fn encode(value: usize, mask: u8, flags: u8, out: &mut Vec<u8>) {
    if value < usize::from(mask) {
        out.push(flags | value as u8);
        return;
    }
    out.push(flags | mask);
    let mut rest = value - usize::from(mask);
    while rest >= 0x80 {
        out.push(0x80 | (rest & 0x7f) as u8);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests;
