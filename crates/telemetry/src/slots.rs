//! A large array whose places are made when first used, readable by others meanwhile.

use std::sync::OnceLock;

const CHUNK: usize = 64;

type Chunk<T> = Box<[OnceLock<Box<T>>]>;

/// Places `0..len`, made on first use. A gateway with five thousand routes of which a worker has
/// served ten pays for ten.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    chunks: Box<[OnceLock<Chunk<T>>]>,
}

impl<T: Default> Slots<T> {
    pub(crate) fn new(len: usize) -> Self {
        Self { chunks: (0..len.div_ceil(CHUNK)).map(|_| OnceLock::new()).collect() }
    }

    /// The value at `index`, made if it is not there; past the end, the last place.
    #[inline]
    pub(crate) fn get_or_make(&self, index: usize) -> &T {
        let index = index.min(self.chunks.len() * CHUNK - 1);
        let chunk = self.chunks[index / CHUNK]
            .get_or_init(|| (0..CHUNK).map(|_| OnceLock::new()).collect());
        chunk[index % CHUNK].get_or_init(Box::default)
    }

    /// The value at `index`, if it was ever used.
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.chunks.get(index / CHUNK)?.get()?.get(index % CHUNK)?.get().map(|value| &**value)
    }
}
