//! Header or trailer fields: one contiguous buffer plus descriptors.

use crate::Known;

/// A range of the shared text buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    pub(crate) const fn is_empty(self) -> bool {
        self.len == 0
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    name: Span,
    value: Span,
    known: Known,
    sensitive: bool,
}

/// One field, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldRef<'a> {
    /// Id of the name, or [`Known::Other`].
    pub known: Known,
    /// Lower-case name.
    pub name: &'a [u8],
    /// Value without surrounding white space.
    pub value: &'a [u8],
    /// Never put into an HPACK dynamic table (RFC 7541 §7.1.3), never logged.
    pub sensitive: bool,
}

/// An ordered list of fields. Names are lower case. Clearing keeps the memory, so a recycled list
/// costs no allocation.
///
/// Limits are the codec's business: it refuses a head before it grows past `head_bytes_max`, which
/// is far under the 4 GiB that descriptors can address.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    text: Vec<u8>,
    entries: Vec<Entry>,
    present: Names,
}

/// A set of known names, one bit each. Two words: a shift of 128 bits is a dozen instructions.
#[derive(Clone, Copy, Debug, Default)]
struct Names([u64; 2]);

impl Names {
    #[inline]
    const fn place(known: Known) -> (usize, u64) {
        let number = known as usize;
        ((number >> 6) & 1, 1 << (number & 63))
    }

    #[inline]
    const fn has(self, known: Known) -> bool {
        let (word, bit) = Self::place(known);
        self.0[word] & bit != 0
    }

    #[inline]
    const fn add(&mut self, known: Known) {
        let (word, bit) = Self::place(known);
        self.0[word] |= bit;
    }

    #[inline]
    const fn remove(&mut self, known: Known) {
        let (word, bit) = Self::place(known);
        self.0[word] &= !bit;
    }
}

impl Fields {
    /// An empty list without memory.
    pub const fn new() -> Self {
        Self { text: Vec::new(), entries: Vec::new(), present: Names([0; 2]) }
    }

    /// Forgets all fields, and all text interned beside them; keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.entries.clear();
        self.present = Names::default();
    }

    /// Gives back memory beyond `bytes`, so that one large head is not paid for ever.
    pub fn shrink_to(&mut self, bytes: usize) {
        if self.text.capacity() > bytes {
            self.text.shrink_to(bytes);
            self.entries.shrink_to(bytes / 32);
        }
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Appends text that is no field (path, authority) to the same buffer.
    #[inline]
    pub(crate) fn intern(&mut self, text: &[u8]) -> Span {
        let start = self.text.len() as u32;
        self.text.extend_from_slice(text);
        Span { start, len: text.len() as u32 }
    }

    #[inline]
    pub(crate) fn text(&self, span: Span) -> &[u8] {
        let start = span.start as usize;
        self.text.get(start..start + span.len as usize).unwrap_or(&[])
    }

    /// Appends a field. `name` must be lower case and valid; the codec has checked it.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        self.push_classified(Known::of(name), name, value, false);
    }

    /// Appends a field with a known name: no text is looked up, and the name is not copied.
    pub fn push_known(&mut self, known: Known, value: &[u8]) {
        debug_assert!(known != Known::Other);
        self.push_classified(known, &[], value, false);
    }

    /// Appends a field whose name was classified by the caller. With a known name, `name` is ignored.
    #[inline]
    pub fn push_classified(&mut self, known: Known, name: &[u8], value: &[u8], sensitive: bool) {
        let name = if known == Known::Other { self.intern(name) } else { Span::default() };
        let value = self.intern(value);
        self.present.add(known);
        self.entries.push(Entry { name, value, known, sensitive });
    }

    #[inline]
    fn resolve(&self, entry: &Entry) -> FieldRef<'_> {
        let name = match entry.known {
            Known::Other => self.text(entry.name),
            known => known.name().as_bytes(),
        };
        FieldRef {
            known: entry.known,
            name,
            value: self.text(entry.value),
            sensitive: entry.sensitive,
        }
    }

    /// All fields in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = FieldRef<'_>> + ExactSizeIterator {
        self.entries.iter().map(|entry| self.resolve(entry))
    }

    /// Whether a field with this known name is there. One bit test.
    pub const fn contains(&self, known: Known) -> bool {
        self.present.has(known)
    }

    /// The first value of a known name.
    pub fn get(&self, known: Known) -> Option<&[u8]> {
        self.get_all(known).next()
    }

    /// All values of a known name, in order.
    pub fn get_all(&self, known: Known) -> impl Iterator<Item = &[u8]> {
        let entries: &[Entry] = if self.contains(known) { &self.entries } else { &[] };
        entries.iter().filter(move |entry| entry.known == known).map(|e| self.text(e.value))
    }

    /// The first value of any lower-case name, known or not.
    pub fn get_named(&self, name: &[u8]) -> Option<&[u8]> {
        match Known::of(name) {
            Known::Other if self.contains(Known::Other) => self
                .entries
                .iter()
                .find(|e| e.known == Known::Other && self.text(e.name) == name)
                .map(|e| self.text(e.value)),
            Known::Other => None,
            known => self.get(known),
        }
    }

    /// Keeps the fields that `keep` says yes to. The removed text stays in the buffer until `clear`.
    pub fn retain(&mut self, mut keep: impl FnMut(FieldRef<'_>) -> bool) {
        let mut entries = std::mem::take(&mut self.entries);
        let mut present = Names::default();
        entries.retain(|entry| {
            let kept = keep(self.resolve(entry));
            if kept {
                present.add(entry.known);
            }
            kept
        });
        self.entries = entries;
        self.present = present;
    }

    /// Removes every field with this known name.
    pub fn remove(&mut self, known: Known) {
        if self.contains(known) {
            self.entries.retain(|entry| entry.known != known);
            self.present.remove(known);
        }
    }

    /// Removes every field with this lower-case name, known or not.
    pub fn remove_named(&mut self, name: &[u8]) {
        match Known::of(name) {
            Known::Other if self.contains(Known::Other) => {
                self.retain(|field| field.known != Known::Other || field.name != name);
            }
            Known::Other => {}
            known => self.remove(known),
        }
    }

    /// Replaces all fields of a known name by one.
    pub fn set(&mut self, known: Known, value: &[u8]) {
        self.remove(known);
        self.push_known(known, value);
    }

    /// Replaces all fields of any lower-case name by one.
    pub fn set_named(&mut self, name: &[u8], value: &[u8]) {
        self.remove_named(name);
        self.push(name, value);
    }

    /// Marks every field with this known name as sensitive.
    pub fn mark_sensitive(&mut self, known: Known) {
        if self.contains(known) {
            for entry in self.entries.iter_mut().filter(|entry| entry.known == known) {
                entry.sensitive = true;
            }
        }
    }

    /// Size as RFC 9113 §10.5.1 counts it: name + value + 32 bytes for each field.
    pub fn list_bytes(&self) -> usize {
        self.iter().map(|field| field.name.len() + field.value.len() + 32).sum()
    }
}

/// Equality of the lists: same fields in the same order; capacity and removed text do not count.
impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.iter().zip(other.iter()).all(|(a, b)| a.name == b.name && a.value == b.value)
    }
}

impl Eq for Fields {}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut fields = Self::new();
        for (name, value) in pairs {
            fields.push(name.as_ref(), value.as_ref());
        }
        fields
    }
}

#[cfg(test)]
mod tests;
