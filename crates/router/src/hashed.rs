//! Byte strings to positions in a list, by their hash alone.
//!
//! The keys themselves are not kept: whoever looks something up verifies it, because what is found
//! may belong to another string with the same hash. That leaves one small map in the cache where boxed
//! keys would cost a pointer each. Keys come from the configuration, so nobody can choose collisions.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::ops::Range;

/// The hash of a byte string.
#[inline]
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

/// Hash → range of positions.
#[derive(Debug, Default)]
pub(crate) struct HashedRanges {
    ranges: HashMap<u64, (u32, u32), BuildHasherDefault<AsIs>>,
}

impl HashedRanges {
    /// `hashes` of the list's items in order; equal ones must be neighbours.
    pub(crate) fn build(hashes: impl Iterator<Item = u64>) -> Self {
        let mut ranges: HashMap<_, (u32, u32), _> = HashMap::default();
        for (at, hash) in (0u32..).zip(hashes) {
            ranges.entry(hash).or_insert((at, at)).1 = at + 1;
        }
        Self { ranges }
    }

    #[inline]
    pub(crate) fn get(&self, hash: u64) -> Range<usize> {
        self.ranges.get(&hash).map_or(0..0, |&(start, end)| start as usize..end as usize)
    }
}

/// The key is a hash already.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn write(&mut self, _bytes: &[u8]) {
        debug_assert!(false, "keys are u64");
    }

    #[inline]
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}
