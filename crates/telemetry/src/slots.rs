//! A large array whose places are made when first used, readable by others meanwhile.

use std::sync::OnceLock;

use crate::series::SERIES_MAX;

const CHUNK: usize = 64;

type Chunk<T> = Box<[OnceLock<Box<T>>]>;

/// Places for as many as may have a series of their own ([`SERIES_MAX`]), made on first use. A gateway
/// with five thousand routes of which a worker has served ten pays for ten.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    chunks: Box<[OnceLock<Chunk<T>>]>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { chunks: (0..SERIES_MAX.div_ceil(CHUNK)).map(|_| OnceLock::new()).collect() }
    }
}

impl<T: Default> Slots<T> {
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
