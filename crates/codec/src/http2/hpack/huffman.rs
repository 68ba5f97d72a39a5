//! The Huffman code of RFC 7541 §5.2 and Appendix B.
//!
//! The code is canonical, so its lengths alone define it: every table here is made from them by the
//! compiler.

#![expect(clippy::indexing_slicing, reason = "indexes of tables that are made by the compiler")]

use super::HpackError;

/// Bits of the code of each byte; a code's value follows from its rank by length and byte.
#[rustfmt::skip]
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
     6, 10, 10, 12, 13,  6,  8, 11, 10, 10,  8, 11,  8,  6,  6,  6,
     5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8, 15,  6, 12, 10,
    13,  6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,
     7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8, 13, 19, 13, 14,  6,
    15,  5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,
     6,  7,  6,  5,  5,  6,  7,  7,  7,  7,  7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

const CODE_BITS_MAX: usize = 30;

/// Codes of up to this many bits are found by one look-up.
const LOOKUP_BITS: u32 = 10;

/// Code and length of each byte.
const CODES: [(u32, u8); 256] = {
    let mut codes = [(0, 0); 256];
    let mut code: u32 = 0;
    let mut length = 1;
    while length <= CODE_BITS_MAX {
        code <<= 1;
        let mut byte = 0;
        while byte < 256 {
            if LENGTHS[byte] as usize == length {
                codes[byte] = (code, length as u8);
                code += 1;
            }
            byte += 1;
        }
        length += 1;
    }
    codes
};

/// For each bit pattern: length of the code it begins with, and its byte; length 0 for longer codes.
static SHORT: [(u8, u8); 1 << LOOKUP_BITS] = {
    let mut table = [(0, 0); 1 << LOOKUP_BITS];
    let mut byte = 0;
    while byte < 256 {
        let (code, length) = CODES[byte];
        if length as u32 <= LOOKUP_BITS {
            let spare = LOOKUP_BITS - length as u32;
            let mut low = 0;
            while low < 1 << spare {
                table[((code << spare) | low) as usize] = (length, byte as u8);
                low += 1;
            }
        }
        byte += 1;
    }
    table
};

/// Codes of one length: the first of them, left aligned in 32 bits, and where their bytes begin in `BYTES`.
struct Rank {
    first: u32,
    end: u64,
    at: u16,
}

static BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut at = 0;
    let mut length = 1;
    while length <= CODE_BITS_MAX {
        let mut byte = 0;
        while byte < 256 {
            if LENGTHS[byte] as usize == length {
                bytes[at] = byte as u8;
                at += 1;
            }
            byte += 1;
        }
        length += 1;
    }
    bytes
};

static RANKS: [Rank; CODE_BITS_MAX + 1] = {
    let mut ranks = [const { Rank { first: 0, end: 0, at: 0 } }; CODE_BITS_MAX + 1];
    let mut code: u32 = 0;
    let mut at: u16 = 0;
    let mut length = 1;
    while length <= CODE_BITS_MAX {
        code <<= 1;
        let first = code;
        let first_at = at;
        let mut byte = 0;
        while byte < 256 {
            if LENGTHS[byte] as usize == length {
                code += 1;
                at += 1;
            }
            byte += 1;
        }
        let shift = 32 - length as u32;
        ranks[length] = Rank { first: first << shift, end: (code as u64) << shift, at: first_at };
        length += 1;
    }
    ranks
};

/// The bits that come next, the first of them on top; behind the last ones of all there are zeros.
struct Window {
    word: u64,
    bits: u32,
}

impl Window {
    /// Takes bytes off `source`, as many as fit.
    #[inline]
    fn refill(&mut self, source: &mut &[u8]) {
        if let Some(word) = source.first_chunk::<8>() {
            self.word |= u64::from_be_bytes(*word) >> self.bits;
            let taken = (63 - self.bits) >> 3;
            *source = &source[taken as usize..];
            self.bits += taken * 8;
            return;
        }
        while self.bits <= 56
            && let Some((&byte, rest)) = source.split_first()
        {
            self.word |= u64::from(byte) << (56 - self.bits);
            self.bits += 8;
            *source = rest;
        }
    }

    /// Length of the code that comes next, and its byte; `None` if it is nobody's.
    #[inline]
    fn code(&self) -> Option<(u32, u8)> {
        match SHORT[(self.word >> (64 - LOOKUP_BITS)) as usize] {
            (0, _) => decode_long((self.word >> 32) as u32),
            (length, byte) => Some((u32::from(length), byte)),
        }
    }

    #[inline]
    const fn skip(&mut self, bits: u32) {
        self.word <<= bits;
        self.bits -= bits;
    }

    /// Whether what is left may stand at the end.
    const fn is_padding(&self) -> bool {
        self.bits <= 7 && self.word.leading_ones() >= self.bits
    }
}

/// Appends the text that `source` encodes.
///
/// # Errors
/// [`HpackError::Huffman`] with EOS in the text, more than 7 bits of padding, or padding other than ones.
pub(crate) fn decode(mut source: &[u8], text: &mut Vec<u8>) -> Result<(), HpackError> {
    let start = text.len();
    // No code is shorter than 5 bits.
    text.resize(start + source.len() * 8 / 5 + 1, 0);
    let mut free = text[start..].iter_mut();
    let capacity = free.len();
    let mut window = Window { word: 0, bits: 0 };
    while !source.is_empty() {
        window.refill(&mut source);
        // Whatever code comes, all of it is there.
        while window.bits >= CODE_BITS_MAX as u32 {
            let (length, byte) = window.code().ok_or(HpackError::Huffman)?;
            window.skip(length);
            if let Some(slot) = free.next() {
                *slot = byte;
            }
        }
    }
    while let Some((length, byte)) = window.code()
        && length <= window.bits
    {
        window.skip(length);
        if let Some(slot) = free.next() {
            *slot = byte;
        }
    }
    if !window.is_padding() {
        return Err(HpackError::Huffman);
    }
    let written = capacity - free.len();
    text.truncate(start + written);
    Ok(())
}

#[cold]
fn decode_long(window: u32) -> Option<(u32, u8)> {
    for (length, rank) in RANKS.iter().enumerate().skip(LOOKUP_BITS as usize + 1) {
        if u64::from(window) < rank.end && window >= rank.first {
            let nth = (window - rank.first) >> (32 - length as u32);
            let at = usize::from(rank.at) + nth as usize;
            return BYTES.get(at).map(|&byte| (length as u32, byte));
        }
    }
    None
}

/// Number of bytes that [`encode`] would append.
pub(crate) fn encoded_len(text: &[u8]) -> usize {
    let bits: usize = text.iter().map(|&byte| usize::from(LENGTHS[usize::from(byte)])).sum();
    bits.div_ceil(8)
}

/// Appends the code of `text`, padded with ones.
pub(crate) fn encode(text: &[u8], out: &mut Vec<u8>) {
    let mut window: u64 = 0;
    let mut bits: u32 = 0;
    for &byte in text {
        let (code, length) = CODES[usize::from(byte)];
        window = (window << length) | u64::from(code);
        bits += u32::from(length);
        if bits >= 32 {
            bits -= 32;
            out.extend_from_slice(&((window >> bits) as u32).to_be_bytes());
        }
    }
    if bits > 0 {
        let padded = (window << (32 - bits)) as u32 | ((1u64 << (32 - bits)) - 1) as u32;
        let bytes = padded.to_be_bytes();
        out.extend_from_slice(&bytes[..bits.div_ceil(8) as usize]);
    }
}

#[cfg(test)]
mod tests;
