//! HPACK header compression (RFC 7541): field blocks ⇄ fields.
//!
//! Works on complete blocks and knows nothing of frames or of what the fields mean; it says of each
//! field whether its bytes are well formed, so that a field taken from the dynamic table is not checked
//! again. Memory is bounded by the announced table size.

mod decoder;
mod encoder;
pub(crate) mod huffman;
mod integer;
mod static_table;
mod table;

use bulkhead_message::Known;

pub(crate) use decoder::{DecodeLimits, Decoder, Discard, Field, Outcome, Sink};
pub(crate) use encoder::Encoder;

/// What a field name means, found once when the name is first seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// `:authority`
    Authority,
    /// `:method`
    Method,
    /// `:path`
    Path,
    /// `:scheme`
    Scheme,
    /// `:status`
    Status,
    /// `:protocol` (RFC 8441)
    Protocol,
    /// A regular field; its text counts only with [`Known::Other`].
    Field(Known),
    /// Upper case, not a token, or an unknown pseudo-header: makes the message malformed.
    Invalid,
}

impl Name {
    /// Classifies the text of a name as it stands on the wire.
    pub(crate) fn of(text: &[u8]) -> Self {
        match Known::of(text) {
            Known::Other => Self::of_unknown(text),
            known => Self::Field(known),
        }
    }

    fn of_unknown(text: &[u8]) -> Self {
        match text {
            b":authority" => Self::Authority,
            b":method" => Self::Method,
            b":path" => Self::Path,
            b":scheme" => Self::Scheme,
            b":status" => Self::Status,
            b":protocol" => Self::Protocol,
            _ if is_lower_token(text) => Self::Field(Known::Other),
            _ => Self::Invalid,
        }
    }
}

/// Whether a name is a token without upper case (RFC 9113 §8.2.1).
fn is_lower_token(text: &[u8]) -> bool {
    const CLASS: [bool; 256] = {
        let mut class = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
            {
                let ascii = byte as u8;
                class[byte] = bulkhead_message::is_token_byte(ascii) && !ascii.is_ascii_uppercase();
            }
            byte += 1;
        }
        class
    };
    !text.is_empty()
        && text.iter().all(|&byte| CLASS.get(usize::from(byte)).copied().unwrap_or(false))
}

/// What breaks the compression state, and with it the connection (RFC 9113 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HpackError {
    /// The block ends inside a representation.
    Truncated,
    /// An integer above 2^32-1 or longer than need be.
    Integer,
    /// An index outside both tables.
    Index,
    /// A Huffman string with EOS in it or with wrong padding.
    Huffman,
    /// A table size update above what was announced, or not at the beginning, or a missing one.
    TableSize,
    /// The block describes many times more than the limit.
    Bomb,
}

impl HpackError {
    /// Fixed text for the connection's error.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Truncated => "field block ends too early",
            Self::Integer => "field block: integer too large",
            Self::Index => "field block: no such index",
            Self::Huffman => "field block: bad Huffman string",
            Self::TableSize => "field block: bad table size update",
            Self::Bomb => "field block describes far more than the limit",
        }
    }
}

#[cfg(test)]
mod tests;
