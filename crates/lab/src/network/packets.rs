//! Memory for the packets of a link, taken once.

use bulkhead_chaos::HELD_PACKETS_MAX;

/// Bytes of a place: more than the MTU of a link.
pub(super) const PACKET_BYTES_MAX: usize = 2_048;
/// Both lanes full, and the packet that is being read.
const PLACES: usize = 2 * HELD_PACKETS_MAX + 1;

/// Places for packets, each with the number of times that it is still to be sent.
#[derive(Debug)]
pub(super) struct Packets {
    bytes: Vec<u8>,
    uses: Vec<u8>,
    /// The place that was freed last is used next: it is in the cache.
    free: Vec<u32>,
}

impl Packets {
    /// The kernel gives pages when they are first written: an idle link costs next to nothing.
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; PLACES * PACKET_BYTES_MAX],
            uses: vec![0; PLACES],
            free: (0..PLACES as u32).rev().collect(),
        }
    }

    /// A place to read a packet into; it stays free until [`Self::keep`].
    pub(super) fn next(&mut self) -> Option<(u32, &mut [u8])> {
        let place = *self.free.last()?;
        Some((place, self.at(place)))
    }

    /// The packet in the [`Self::next`] place is to be sent `uses` times.
    pub(super) fn keep(&mut self, place: u32, uses: usize) {
        if uses > 0 && self.free.last() == Some(&place) {
            self.free.pop();
            self.uses[place as usize] = uses as u8;
        }
    }

    pub(super) fn at(&mut self, place: u32) -> &mut [u8] {
        let begin = place as usize * PACKET_BYTES_MAX;
        &mut self.bytes[begin..begin + PACKET_BYTES_MAX]
    }

    /// The packet was sent once.
    pub(super) fn sent(&mut self, place: u32) {
        let uses = &mut self.uses[place as usize];
        *uses = uses.saturating_sub(1);
        if *uses == 0 {
            self.free.push(place);
        }
    }
}
