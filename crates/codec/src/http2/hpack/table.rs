//! The dynamic table (RFC 7541 §2.3.2), of either direction.
//!
//! Texts stand one behind the other in one buffer, so that an entry is always one slice. The dead
//! front of the buffer is cut off when it has grown to the table's size: each byte moves once at most.

use std::collections::VecDeque;

use super::Name;

/// What RFC 7541 §4.1 adds to the texts of each entry.
pub(super) const ENTRY_OVERHEAD_BYTES: usize = 32;

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Offset of the name in all bytes ever inserted, wrapping.
    start: u32,
    name_len: u32,
    value_len: u32,
    name: Name,
    valid: bool,
}

impl Entry {
    const fn cost(&self) -> usize {
        self.name_len as usize + self.value_len as usize + ENTRY_OVERHEAD_BYTES
    }
}

/// An entry, borrowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) name: Name,
    pub(super) text: &'a [u8],
    pub(super) value: &'a [u8],
    pub(super) valid: bool,
}

/// A dynamic table. Holds no memory until the first insertion.
#[derive(Debug)]
pub(super) struct Table {
    text: Vec<u8>,
    /// Offset of `text`'s first byte in all bytes ever inserted, wrapping.
    base: u32,
    /// Oldest first.
    entries: VecDeque<Entry>,
    size: usize,
    size_max: usize,
    inserted: u32,
}

impl Table {
    pub(super) const fn new(size_max: usize) -> Self {
        Self { text: Vec::new(), base: 0, entries: VecDeque::new(), size: 0, size_max, inserted: 0 }
    }

    pub(super) const fn size_max(&self) -> usize {
        self.size_max
    }

    #[cfg(test)]
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Number of insertions ever, wrapping: the newest entry's serial number.
    pub(super) const fn inserted(&self) -> u32 {
        self.inserted
    }

    /// The entry at `index`, 0 being the newest.
    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<Found<'_>> {
        let at = self.entries.len().checked_sub(index + 1)?;
        let entry = self.entries.get(at)?;
        let start = entry.start.wrapping_sub(self.base) as usize;
        let middle = start + entry.name_len as usize;
        let text = self.text.get(start..middle)?;
        let value = self.text.get(middle..middle + entry.value_len as usize)?;
        Some(Found { name: entry.name, text, value, valid: entry.valid })
    }

    /// The value of the entry at `index`.
    #[inline]
    pub(super) fn value(&self, index: usize) -> Option<&[u8]> {
        let at = self.entries.len().checked_sub(index + 1)?;
        let entry = self.entries.get(at)?;
        let start = entry.start.wrapping_sub(self.base) as usize + entry.name_len as usize;
        self.text.get(start..start + entry.value_len as usize)
    }

    /// Changes the size; evicts what no longer fits.
    pub(super) fn set_size_max(&mut self, size_max: usize) {
        self.size_max = size_max;
        self.evict_to(size_max);
    }

    fn evict_to(&mut self, size: usize) {
        while self.size > size
            && let Some(entry) = self.entries.pop_front()
        {
            self.size -= entry.cost();
        }
    }

    /// Adds an entry, evicting older ones for it. One that is larger than the table empties it.
    pub(super) fn insert(&mut self, name: Name, text: &[u8], value: &[u8], valid: bool) {
        let cost = text.len() + value.len() + ENTRY_OVERHEAD_BYTES;
        self.evict_to(self.size_max.saturating_sub(cost));
        if cost > self.size_max {
            return;
        }
        self.compact();
        let entry = Entry {
            start: self.base.wrapping_add(self.text.len() as u32),
            name_len: text.len() as u32,
            value_len: value.len() as u32,
            name,
            valid,
        };
        self.text.extend_from_slice(text);
        self.text.extend_from_slice(value);
        self.entries.push_back(entry);
        self.size += cost;
        self.inserted = self.inserted.wrapping_add(1);
    }

    fn compact(&mut self) {
        let dead = match self.entries.front() {
            Some(oldest) => oldest.start.wrapping_sub(self.base) as usize,
            None => self.text.len(),
        };
        if dead > 0 && dead >= self.size_max {
            self.text.drain(..dead);
            self.base = self.base.wrapping_add(dead as u32);
        }
    }
}
