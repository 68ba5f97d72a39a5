//! The table of live streams, and what is remembered of gone ones.
//!
//! A slab with a small open-addressed index over stream numbers, spread by the golden ratio: numbers that
//! ascend evenly, as they do, then hardly ever collide, and lie far enough apart that taking one out need
//! not move others. Numbers that a hostile peer picks to collide cost at most as many steps as streams
//! may be open.

use crate::{StreamId, Tag};

/// One live stream.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    /// 0: the slot is free.
    pub(super) id: StreamId,
    pub(super) state: State,
    pub(super) tag: Tag,
    /// What the peer lets us send; negative after it lowered its settings.
    pub(super) send_window: i64,
    /// What we let the peer send.
    pub(super) receive_window: i64,
    /// Released by the owner, not yet given back to the peer.
    pub(super) owed: u32,
    /// Handed to the owner and not yet released.
    pub(super) unreleased: u32,
    /// Body bytes still to come by `content-length`; [`ANY_LENGTH`] without one.
    pub(super) remaining: u64,
}

/// No `content-length` was given.
pub(super) const ANY_LENGTH: u64 = u64::MAX;

/// Facts of a stream, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State(u8);

impl State {
    /// We have ended our message.
    pub(super) const LOCAL_ENDED: Self = Self(1);
    /// The peer has ended its message.
    pub(super) const REMOTE_ENDED: Self = Self(2);
    /// The final response head has passed.
    pub(super) const ANSWERED: Self = Self(4);
    /// `send_data` left something with the owner.
    pub(super) const BLOCKED: Self = Self(8);
    /// Stands in the queue of streams that wait for the connection's window only.
    pub(super) const QUEUED: Self = Self(16);
    /// Client: the request was a HEAD, so the response has no body.
    pub(super) const HEAD: Self = Self(32);
    /// The request was a CONNECT, extended or not: `content-length` means nothing.
    pub(super) const CONNECT: Self = Self(64);
    /// A 2xx has agreed to the CONNECT: DATA only, both ways (RFC 9113 §8.5).
    pub(super) const TUNNEL: Self = Self(128);

    #[inline]
    pub(super) const fn has(self, bits: Self) -> bool {
        self.0 & bits.0 == bits.0
    }

    #[inline]
    pub(super) const fn set(&mut self, bits: Self) {
        self.0 |= bits.0;
    }

    #[inline]
    pub(super) const fn unset(&mut self, bits: Self) {
        self.0 &= !bits.0;
    }
}

/// Index of a live stream in the slab. Valid until that stream is removed.
pub(super) type Slot = usize;

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    id: StreamId,
    slot: u32,
}

/// The live streams.
#[derive(Debug, Default)]
pub(super) struct Streams {
    slab: Vec<Stream>,
    free: Vec<u32>,
    /// Length is a power of two, at least twice the number of live streams.
    index: Vec<Bucket>,
    live: usize,
}

impl Streams {
    pub(super) const fn len(&self) -> usize {
        self.live
    }

    #[inline]
    const fn home(&self, id: StreamId) -> usize {
        let spread = (id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (spread >> 32) as usize & (self.index.len().wrapping_sub(1))
    }

    #[inline]
    pub(super) fn find(&self, id: StreamId) -> Option<Slot> {
        let mask = self.index.len().wrapping_sub(1);
        let mut at = self.home(id);
        loop {
            let bucket = self.index.get(at)?;
            if bucket.id == id {
                return Some(bucket.slot as Slot);
            }
            if bucket.id == 0 {
                return None;
            }
            at = (at + 1) & mask;
        }
    }

    #[inline]
    pub(super) fn find_mut(&mut self, id: StreamId) -> Option<&mut Stream> {
        let slot = self.find(id)?;
        self.slab.get_mut(slot)
    }

    /// All live streams.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.slab.iter_mut().filter(|stream| stream.id != 0)
    }

    /// Adds a stream, which must not be there yet.
    pub(super) fn insert(&mut self, stream: Stream) {
        if (self.live + 1) * 2 > self.index.len() {
            self.grow();
        }
        let id = stream.id;
        let slot = match self.free.pop() {
            Some(slot) => {
                if let Some(place) = self.slab.get_mut(slot as Slot) {
                    *place = stream;
                }
                slot
            }
            None => {
                self.slab.push(stream);
                self.slab.len() as u32 - 1
            }
        };
        self.live += 1;
        self.enter(Bucket { id, slot });
    }

    fn enter(&mut self, bucket: Bucket) {
        let mask = self.index.len().wrapping_sub(1);
        let mut at = self.home(bucket.id);
        while let Some(place) = self.index.get_mut(at) {
            if place.id == 0 {
                *place = bucket;
                return;
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    fn grow(&mut self) {
        let len = (self.index.len() * 2).max(16);
        let old = std::mem::replace(&mut self.index, vec![Bucket::default(); len]);
        for bucket in old.into_iter().filter(|bucket| bucket.id != 0) {
            self.enter(bucket);
        }
    }

    /// Removes a stream and gives it back.
    pub(super) fn remove(&mut self, id: StreamId) -> Option<Stream> {
        let mask = self.index.len().wrapping_sub(1);
        let mut at = self.home(id);
        let slot = loop {
            let bucket = self.index.get(at)?;
            if bucket.id == id {
                break bucket.slot;
            }
            if bucket.id == 0 {
                return None;
            }
            at = (at + 1) & mask;
        };
        self.close_gap(at, mask);
        self.live -= 1;
        self.free.push(slot);
        let place = self.slab.get_mut(slot as Slot)?;
        let stream = place.clone();
        place.id = 0;
        Some(stream)
    }

    /// Empties the bucket at `gap` and moves later ones up, so that no probe ends too early.
    fn close_gap(&mut self, mut gap: usize, mask: usize) {
        let mut at = gap;
        loop {
            at = (at + 1) & mask;
            let Some(&bucket) = self.index.get(at) else { return };
            if bucket.id == 0 {
                break;
            }
            let distance = at.wrapping_sub(self.home(bucket.id)) & mask;
            if distance >= (at.wrapping_sub(gap) & mask) {
                if let Some(place) = self.index.get_mut(gap) {
                    *place = bucket;
                }
                gap = at;
            }
        }
        if let Some(place) = self.index.get_mut(gap) {
            *place = Bucket::default();
        }
    }
}

/// The last few stream numbers of one kind, oldest overwritten first.
#[derive(Debug)]
pub(super) struct Remembered {
    ids: Vec<StreamId>,
    next: usize,
    len_max: usize,
}

impl Remembered {
    pub(super) const fn new(len_max: usize) -> Self {
        Self { ids: Vec::new(), next: 0, len_max }
    }

    #[inline]
    pub(super) fn push(&mut self, id: StreamId) {
        if let Some(place) = self.ids.get_mut(self.next) {
            *place = id;
        } else {
            self.ids.push(id);
        }
        self.next += 1;
        if self.next == self.len_max {
            self.next = 0;
        }
    }

    pub(super) fn contains(&self, id: StreamId) -> bool {
        self.ids.contains(&id)
    }
}

#[cfg(test)]
mod tests;
