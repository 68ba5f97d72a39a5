//! Fields → field blocks.
//!
//! Which fields enter the dynamic table: those that were seen a second time while their slot of a small
//! direct-mapped filter still remembers them. A value that occurs once (a request id) so never evicts one
//! that repeats. Some names never enter at all: secrets, since a table shared by many clients'
//! requests could be probed for them, and values that rarely repeat.
//!
//! Literals are not Huffman-coded unless asked for: `benches/http2.rs` measured 70 → 134 ns to encode a
//! request head of eight fields and 136 → 274 ns to decode it, for a third fewer bytes.

use bulkhead_message::{FieldRef, Fields, Known, Method, RequestHead, ResponseHead};

use super::table::{ENTRY_OVERHEAD_BYTES, Table};
use super::{Name, huffman, integer, static_table};

/// Largest table that we use, whatever the peer allows: more would cost memory on each connection
/// without saving processor time.
const TABLE_BYTES_MAX: usize = 4_096;

/// Longer values are not indexed: hashing and comparing them costs more than copying.
const INDEXED_BYTES_MAX: usize = 192;

const SLOTS: usize = 128;

/// Encoder of one direction of a connection.
#[derive(Debug)]
pub(crate) struct Encoder {
    table: Table,
    /// Made with the first field that asks for it.
    slots: Vec<Slot>,
    /// For each name that has a number: the entry that was last used. The common hit, without hashing.
    recent: Vec<u32>,
    /// Size updates that the next block begins with: the smallest size since, and the present one.
    size_updates: Option<(usize, usize)>,
    huffman: bool,
}

/// Remembers one field that stands in the table, and one that was seen once. A field that never
/// repeats can only displace the latter.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Hash of the field in the table.
    tag: u32,
    /// Serial number of its entry; 0: none yet.
    serial: u32,
    /// Hash of the field that was seen.
    seen: u32,
}

/// How a field is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    /// Enters the dynamic table when it repeats.
    Repeats,
    /// As `Repeats`; one value stands in the static table.
    AcceptEncoding,
    /// As `Repeats`; only `trailers` may be said (RFC 9113 §8.2.2).
    Te,
    /// Literal: repeats too rarely, or must not be guessed by probing the table.
    Literal,
    /// Literal that no intermediary may index (RFC 7541 §7.1.3).
    Secret,
    /// For one connection only (RFC 9113 §8.2.2), or part of the pseudo-header fields.
    Dropped,
}

const fn policy(known: Known) -> Policy {
    match known {
        Known::AcceptEncoding => Policy::AcceptEncoding,
        Known::Te => Policy::Te,
        Known::Authorization | Known::ProxyAuthorization => Policy::Secret,
        Known::Connection
        | Known::Host
        | Known::Http2Settings
        | Known::KeepAlive
        | Known::ProxyConnection
        | Known::TransferEncoding
        | Known::Upgrade => Policy::Dropped,
        Known::Age
        | Known::ContentLength
        | Known::ContentRange
        | Known::Cookie
        | Known::Date
        | Known::Etag
        | Known::Expires
        | Known::Forwarded
        | Known::GrpcMessage
        | Known::GrpcTimeout
        | Known::IfMatch
        | Known::IfModifiedSince
        | Known::IfNoneMatch
        | Known::IfRange
        | Known::IfUnmodifiedSince
        | Known::LastModified
        | Known::Location
        | Known::Range
        | Known::SetCookie
        | Known::Traceparent
        | Known::Tracestate
        | Known::XRequestId => Policy::Literal,
        _ => Policy::Repeats,
    }
}

impl Encoder {
    /// An encoder towards a peer with the default table size. With `huffman`, literals are compressed
    /// where that makes them shorter.
    pub(crate) const fn new(huffman: bool) -> Self {
        Self {
            table: Table::new(TABLE_BYTES_MAX),
            slots: Vec::new(),
            recent: Vec::new(),
            size_updates: None,
            huffman,
        }
    }

    /// The peer announced a table size (RFC 7541 §4.2).
    pub(crate) fn set_peer_table_bytes(&mut self, bytes: usize) {
        let size = bytes.min(TABLE_BYTES_MAX);
        if size != self.table.size_max() || self.size_updates.is_some() {
            let smallest = self.size_updates.map_or(size, |(smallest, _)| smallest.min(size));
            self.size_updates = Some((smallest, size));
            self.table.set_size_max(size);
        }
    }

    /// Appends the block of a request head.
    pub(crate) fn request(&mut self, head: &RequestHead, out: &mut Vec<u8>) {
        self.begin(out);
        let extended = !head.protocol().is_empty();
        match head.method() {
            // An upgrade of HTTP/1 is an extended CONNECT here (RFC 8441 §5).
            _ if extended => {
                self.repeating(Name::Method, static_table::METHOD, b"", b"CONNECT", out);
            }
            Method::Get => out.push(0x80 | static_table::METHOD as u8),
            Method::Post => out.push(0x81 | static_table::METHOD as u8),
            _ => self.repeating(Name::Method, static_table::METHOD, b"", head.method_text(), out),
        }
        let connect = head.method() == Method::Connect && !extended;
        if !connect {
            let https = head.scheme == bulkhead_message::Scheme::Https;
            out.push((0x80 | static_table::SCHEME as u8) + u8::from(https));
            match head.target() {
                b"/" => out.push(0x80 | static_table::PATH as u8),
                target => self.literal(0, static_table::PATH, b"", target, out),
            }
        }
        if head.has_authority() {
            let authority = head.authority();
            self.repeating(Name::Authority, static_table::AUTHORITY, b"", authority, out);
        }
        if extended {
            self.repeating(Name::Protocol, 0, b":protocol", head.protocol(), out);
        }
        self.fields(&head.fields, out);
    }

    /// Appends the block of a response head.
    pub(crate) fn response(&mut self, head: &ResponseHead, out: &mut Vec<u8>) {
        self.begin(out);
        let index: u8 = match head.status {
            200 => 8,
            204 => 9,
            206 => 10,
            304 => 11,
            400 => 12,
            404 => 13,
            500 => 14,
            _ => 0,
        };
        if index > 0 {
            out.push(0x80 | index);
        } else {
            let digit = |ten: u16| b'0' + (head.status / ten % 10) as u8;
            let status = [digit(100), digit(10), digit(1)];
            self.repeating(Name::Status, static_table::STATUS, b"", &status, out);
        }
        self.fields(&head.fields, out);
    }

    /// Appends the block of a trailer section.
    pub(crate) fn trailers(&mut self, trailers: &Fields, out: &mut Vec<u8>) {
        self.begin(out);
        self.fields(trailers, out);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if let Some((smallest, size)) = self.size_updates.take() {
            if smallest < size {
                integer::encode(smallest, 0x1f, 0x20, out);
            }
            integer::encode(size, 0x1f, 0x20, out);
        }
    }

    #[inline]
    fn fields(&mut self, fields: &Fields, out: &mut Vec<u8>) {
        for field in fields.iter() {
            self.field(field, out);
        }
    }

    #[inline]
    fn field(&mut self, field: FieldRef<'_>, out: &mut Vec<u8>) {
        let FieldRef { known, name, value, sensitive } = field;
        let index = static_table::index_of(known);
        match policy(known) {
            Policy::Dropped => {}
            Policy::Te if value != b"trailers" => {}
            _ if sensitive => self.literal(0x10, index, name, value, out),
            Policy::AcceptEncoding if value == b"gzip, deflate" => {
                out.push(0x80 | static_table::ACCEPT_ENCODING as u8);
            }
            Policy::Repeats | Policy::Te | Policy::AcceptEncoding => {
                self.repeating(Name::Field(known), index, name, value, out);
            }
            Policy::Secret => self.literal(0x10, index, name, value, out),
            Policy::Literal => self.literal(0, index, name, value, out),
        }
    }

    /// A field that is worth indexing once it repeats.
    #[inline]
    fn repeating(
        &mut self,
        name: Name,
        index: usize,
        text: &[u8],
        value: &[u8],
        out: &mut Vec<u8>,
    ) {
        match self.recent_age(name, value) {
            Some(age) => integer::encode(static_table::LEN + 1 + age, 0x7f, 0x80, out),
            None => self.changed(name, index, text, value, out),
        }
    }

    /// A field that has another value than the last one of its name, or a name without a number.
    fn changed(&mut self, name: Name, index: usize, text: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let cost = text.len() + value.len() + ENTRY_OVERHEAD_BYTES;
        if value.len() > INDEXED_BYTES_MAX || cost * 4 > self.table.size_max() {
            return self.literal(0, index, text, value, out);
        }
        let hash = hash(name, text, value);
        let tag = (hash >> 32) as u32;
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, Slot::default());
            self.recent.resize(NUMBERS, 0);
        }
        let serial = self.table.inserted();
        let Some(slot) = self.slots.get_mut(hash as usize % SLOTS) else { return };
        if slot.serial != 0 && slot.tag == tag {
            let age = serial.wrapping_sub(slot.serial) as usize;
            if age < self.table.len()
                && let Some(found) = self.table.get(age)
                && found.name == name
                && found.value == value
                && (index > 0 || found.text == text)
            {
                if let Some(recent) = number(name).and_then(|number| self.recent.get_mut(number)) {
                    *recent = slot.serial;
                }
                return integer::encode(static_table::LEN + 1 + age, 0x7f, 0x80, out);
            }
        } else if slot.seen != tag {
            slot.seen = tag;
            return self.literal(0, index, text, value, out);
        }
        slot.tag = tag;
        slot.serial = serial.wrapping_add(1);
        if let Some(recent) = number(name).and_then(|number| self.recent.get_mut(number)) {
            *recent = slot.serial;
        }
        let text = match name {
            _ if !text.is_empty() => text,
            _ => static_table::get(index).map_or(text, |entry| entry.text.as_bytes()),
        };
        self.table.insert(name, text, value, true);
        self.literal(0x40, index, text, value, out);
    }

    /// Index of the entry last used for this name, if it has this value and still stands in the table.
    #[inline]
    fn recent_age(&self, name: Name, value: &[u8]) -> Option<usize> {
        let &serial = self.recent.get(number(name)?)?;
        let age = self.table.inserted().wrapping_sub(serial) as usize;
        // Its name is this one: no other has the same number.
        (serial != 0 && self.table.value(age)? == value).then_some(age)
    }

    /// A literal; `flags` 0x40 with indexing, 0x10 never indexed, 0 neither.
    #[inline]
    fn literal(&self, flags: u8, index: usize, text: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let mask = if flags == 0x40 { 0x3f } else { 0x0f };
        integer::encode(index, mask, flags, out);
        if index == 0 {
            self.string(text, out);
        }
        self.string(value, out);
    }

    #[inline]
    fn string(&self, text: &[u8], out: &mut Vec<u8>) {
        if self.huffman {
            let len = huffman::encoded_len(text);
            if len < text.len() {
                integer::encode(len, 0x7f, 0x80, out);
                return huffman::encode(text, out);
            }
        }
        integer::encode(text.len(), 0x7f, 0, out);
        out.extend_from_slice(text);
    }
}

/// Numbers of names, see [`number`].
const NUMBERS: usize = 128;

/// A small number for a name whose text need not be compared.
#[inline]
const fn number(name: Name) -> Option<usize> {
    match name {
        Name::Field(Known::Other) | Name::Path | Name::Scheme | Name::Protocol | Name::Invalid => {
            None
        }
        Name::Field(known) => Some(known as usize),
        Name::Authority => Some(NUMBERS - 1),
        Name::Method => Some(NUMBERS - 2),
        Name::Status => Some(NUMBERS - 3),
    }
}

/// A hash for the filter. A peer that makes values collide only spoils its own compression.
#[inline]
fn hash(name: Name, text: &[u8], value: &[u8]) -> u64 {
    let (seed, text) = match number(name) {
        Some(number) => (number as u64, &[][..]),
        None => (NUMBERS as u64, text),
    };
    mix(mix(seed ^ ((value.len() as u64) << 8), text), value)
}

#[inline]
fn mix(mut hash: u64, bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |hash: u64, word: u64| {
        let product = u128::from(hash ^ word ^ 0x517c_c1b7_2722_0a95) * u128::from(FACTOR);
        (product as u64) ^ (product >> 64) as u64
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = fold(hash, u64::from_le_bytes(*word));
    }
    if rest.is_empty() {
        return hash;
    }
    // The last 8 bytes overlap what was hashed already, which does no harm.
    let last = match (bytes.last_chunk::<8>(), rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        (Some(word), ..) => u64::from_le_bytes(*word),
        (None, Some(low), Some(high)) => {
            u64::from(u32::from_le_bytes(*low)) << 32 | u64::from(u32::from_le_bytes(*high))
        }
        _ => rest.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    };
    fold(hash, last)
}
