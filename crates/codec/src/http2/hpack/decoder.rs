//! Field blocks → fields.

use bulkhead_message::{all_bytes, is_field_value, is_token};

use super::table::{ENTRY_OVERHEAD_BYTES, Found, Table};
use super::{HpackError, Name, huffman, integer, static_table};
use crate::http1::is_authority;

/// A decoded field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    /// What the name means.
    pub(crate) name: Name,
    /// The name as on the wire.
    pub(crate) text: &'a [u8],
    /// The value.
    pub(crate) value: &'a [u8],
    /// Name and value consist of what they may consist of (RFC 9113 §8.2.1, §8.3).
    pub(crate) valid: bool,
    /// Came as never-indexed literal (RFC 7541 §6.2.3).
    pub(crate) sensitive: bool,
}

/// Takes the fields of a block, in order.
pub(crate) trait Sink {
    /// One more field.
    fn field(&mut self, field: Field<'_>);
}

/// Drops the fields: for a block that only keeps the state in step.
pub(crate) struct Discard;

impl Sink for Discard {
    fn field(&mut self, _field: Field<'_>) {}
}

/// How much a block may describe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DecodeLimits {
    /// Names and values, and 32 bytes for each field.
    pub(crate) bytes_max: usize,
    /// Number of fields, pseudo-header fields included.
    pub(crate) fields_max: usize,
}

/// A block is abandoned, and the connection with it, when it describes this many times the limit.
/// Up to there it is decoded without being kept, so that one oversized head costs one stream only.
const BOMB_FACTOR: usize = 4;

/// How a block ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All fields were handed out.
    Whole,
    /// The block is above the limits; only its first fields were handed out.
    Oversized,
}

/// Decoder of one direction of a connection.
#[derive(Debug)]
pub(crate) struct Decoder {
    table: Table,
    /// Largest table size that the peer may choose.
    size_limit: usize,
    text: Vec<u8>,
    value: Vec<u8>,
}

/// Counts what a block describes.
struct Meter {
    limits: DecodeLimits,
    bytes: usize,
    fields: usize,
}

impl Meter {
    /// Whether the field may be handed out.
    #[inline]
    fn admit(&mut self, field: &Field<'_>) -> bool {
        self.bytes += field.text.len() + field.value.len() + ENTRY_OVERHEAD_BYTES;
        self.fields += 1;
        !self.exceeded()
    }

    #[inline]
    const fn exceeded(&self) -> bool {
        self.bytes > self.limits.bytes_max || self.fields > self.limits.fields_max
    }

    const fn is_bomb(&self) -> bool {
        self.bytes > self.limits.bytes_max.saturating_mul(BOMB_FACTOR)
    }
}

impl Decoder {
    /// A decoder that announced `table_bytes` as SETTINGS_HEADER_TABLE_SIZE. Until the peer has
    /// acknowledged that, it may use the default of 4,096.
    pub(crate) const fn new(table_bytes: usize) -> Self {
        const DEFAULT: usize = 4_096;
        let size_limit = if table_bytes > DEFAULT { table_bytes } else { DEFAULT };
        Self { table: Table::new(DEFAULT), size_limit, text: Vec::new(), value: Vec::new() }
    }

    /// The peer has acknowledged our table size.
    pub(crate) const fn set_size_limit(&mut self, table_bytes: usize) {
        self.size_limit = table_bytes;
    }

    #[cfg(test)]
    pub(super) const fn table_size(&self) -> usize {
        self.table.size()
    }

    #[cfg(test)]
    pub(super) const fn table_size_max(&self) -> usize {
        self.table.size_max()
    }

    #[cfg(test)]
    pub(super) fn table_len(&self) -> usize {
        self.table.len()
    }

    /// Decodes one whole block.
    ///
    /// # Errors
    /// When the two ends no longer agree on the table: the connection must end.
    #[inline]
    pub(crate) fn decode<S: Sink>(
        &mut self,
        block: &[u8],
        limits: DecodeLimits,
        sink: &mut S,
    ) -> Result<Outcome, HpackError> {
        let mut rest = self.size_updates(block)?;
        let mut meter = Meter { limits, bytes: 0, fields: 0 };
        while let Some((&first, tail)) = rest.split_first() {
            rest = tail;
            let field = if first & 0x80 != 0 {
                let index = integer::decode(first, 0x7f, &mut rest)?;
                lookup(&self.table, index)?
            } else if first & 0xe0 == 0x20 {
                return Err(HpackError::TableSize);
            } else {
                self.literal(first, &mut rest)?
            };
            if meter.admit(&field) {
                sink.field(field);
            } else if meter.is_bomb() {
                return Err(HpackError::Bomb);
            }
        }
        Ok(if meter.exceeded() { Outcome::Oversized } else { Outcome::Whole })
    }

    /// Size updates may only stand at the beginning of a block, two at most (RFC 7541 §4.2).
    #[inline]
    fn size_updates<'b>(&mut self, mut block: &'b [u8]) -> Result<&'b [u8], HpackError> {
        let mut updates = 0;
        while let Some((&first, mut rest)) = block.split_first()
            && first & 0xe0 == 0x20
        {
            let size = integer::decode(first, 0x1f, &mut rest)?;
            updates += 1;
            if size > self.size_limit || updates > 2 {
                return Err(HpackError::TableSize);
            }
            self.table.set_size_max(size);
            block = rest;
        }
        // After a reduction was acknowledged, the next block has to carry an update.
        if self.table.size_max() > self.size_limit {
            return Err(HpackError::TableSize);
        }
        Ok(block)
    }

    /// A literal field, which has entered the table if it is to.
    #[inline]
    fn literal<'a, 'b: 'a>(
        &'a mut self,
        first: u8,
        rest: &mut &'b [u8],
    ) -> Result<Field<'a>, HpackError> {
        let indexed = first & 0x40 != 0;
        let index = integer::decode(first, if indexed { 0x3f } else { 0x0f }, rest)?;
        let (name, text) = if index == 0 {
            let text = string(rest, &mut self.text)?;
            (Name::of(text), text)
        } else if let Some(entry) = static_table::get(index) {
            (entry.name, entry.text.as_bytes())
        } else {
            // Copied, since the entry may be evicted by this field's own insertion.
            let found = lookup(&self.table, index)?;
            self.text.clear();
            self.text.extend_from_slice(found.text);
            (found.name, self.text.as_slice())
        };
        let value = string(rest, &mut self.value)?;
        let valid = is_value_of(name, value);
        if indexed {
            self.table.insert(name, text, value, valid);
        }
        Ok(Field { name, text, value, valid, sensitive: first & 0xf0 == 0x10 })
    }
}

#[inline]
fn lookup(table: &Table, index: usize) -> Result<Field<'_>, HpackError> {
    if let Some(entry) = static_table::get(index) {
        return Ok(Field {
            name: entry.name,
            text: entry.text.as_bytes(),
            value: entry.value.as_bytes(),
            valid: true,
            sensitive: false,
        });
    }
    let index = index.checked_sub(static_table::LEN + 1).ok_or(HpackError::Index)?;
    let Found { name, text, value, valid } = table.get(index).ok_or(HpackError::Index)?;
    Ok(Field { name, text, value, valid, sensitive: false })
}

/// A string literal (RFC 7541 §5.2): a slice of the block, or Huffman-decoded into `scratch`.
#[inline]
fn string<'s, 'b: 's>(
    rest: &mut &'b [u8],
    scratch: &'s mut Vec<u8>,
) -> Result<&'s [u8], HpackError> {
    let (&first, tail) = rest.split_first().ok_or(HpackError::Truncated)?;
    *rest = tail;
    let len = integer::decode(first, 0x7f, rest)?;
    let (raw, tail) = rest.split_at_checked(len).ok_or(HpackError::Truncated)?;
    *rest = tail;
    if first & 0x80 == 0 {
        return Ok(raw);
    }
    scratch.clear();
    huffman::decode(raw, scratch)?;
    Ok(scratch)
}

/// Whether a field of this name may have this value. Asked once for each entry of the table.
#[inline]
fn is_value_of(name: Name, value: &[u8]) -> bool {
    match name {
        Name::Field(_) => is_value(value),
        Name::Path => is_target(value),
        Name::Authority => is_authority(value),
        Name::Method | Name::Protocol => is_token(value),
        Name::Scheme => value.eq_ignore_ascii_case(b"http") || value.eq_ignore_ascii_case(b"https"),
        Name::Status => value.len() == 3 && value.iter().all(u8::is_ascii_digit),
        Name::Invalid => false,
    }
}

/// [`is_field_value`], fast in the common case: printable, and no space at the ends.
#[inline]
fn is_value(value: &[u8]) -> bool {
    if !all_bytes(value, |byte| (byte >= 0x20) & (byte != 0x7f)) {
        return is_field_value(value);
    }
    value.first() != Some(&b' ') && value.last() != Some(&b' ')
}

/// Path with query, or `*`.
#[inline]
fn is_target(value: &[u8]) -> bool {
    match value.first() {
        Some(b'/') => all_bytes(value, |byte| (byte > 0x20) & (byte != 0x7f) & (byte != b'#')),
        _ => value == b"*",
    }
}
