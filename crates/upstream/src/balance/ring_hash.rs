//! A hash ring (Karger et al., "Consistent Hashing and Random Trees", 1997; points per weight as in
//! ketama and Envoy): each endpoint owns several points, a key belongs to the first point at or after
//! its hash. When an endpoint leaves, its keys move to the next points, and no other key moves.
//!
//! That holds only while the others keep their points. So an endpoint has as many for its weight as
//! the ring needs, rounded up to a power of two: the number stays until the endpoints are half or
//! twice as many, whereas an exact one would change, and move keys, with each that comes or goes.

use super::HashLoad;
use super::hash::nth;
use super::hashed::Member;

/// Default of [`RingHash::size_min`].
pub const RING_SIZE_MIN: u32 = 1_024;
/// Default of [`RingHash::size_max`], 128 MiB in each worker.
pub const RING_SIZE_MAX: u32 = 8 * 1_024 * 1_024;

/// Settings of the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingHash {
    /// Points at least, over all endpoints: more make shares more even. There are less than twice as
    /// many, if weights are equal.
    pub size_min: u32,
    /// Points at most, of 16 bytes each; but each endpoint has one.
    pub size_max: u32,
    /// Bound of the load.
    pub load_max: HashLoad,
}

impl Default for RingHash {
    fn default() -> Self {
        Self { size_min: RING_SIZE_MIN, size_max: RING_SIZE_MAX, load_max: None }
    }
}

#[derive(Debug)]
pub(super) struct Ring {
    /// Hash and place, ascending.
    points: Vec<(u64, u32)>,
}

impl Ring {
    pub(super) fn build(settings: &RingHash, members: &[Member]) -> Self {
        let per_lightest = points_of_lightest(settings, members);
        let lightest = lightest(members);
        let count = |member: &Member| (per_lightest * u64::from(member.weight) / lightest).max(1);
        let mut points = Vec::with_capacity(members.iter().map(count).sum::<u64>() as usize);
        for member in members {
            let hash = member.hash();
            points.extend((1..=count(member)).map(|step| (nth(hash, step), member.place)));
        }
        // Members come in the order of their addresses: equal points too are in the same order
        // everywhere, as the sort is stable.
        points.sort_by_key(|(hash, _)| *hash);
        Self { points }
    }

    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.points.len()
    }

    pub(super) fn probe(&self, hash: u64, step: u64) -> Option<u32> {
        let first = self.points.partition_point(|(point, _)| *point < hash);
        let position = (first as u64 + step) % (self.points.len() as u64).max(1);
        self.points.get(position as usize).map(|(_, place)| *place)
    }
}

fn lightest(members: &[Member]) -> u64 {
    members.iter().map(|member| u64::from(member.weight)).min().unwrap_or(1).max(1)
}

/// Points of the endpoint with the lowest weight; 0 if the ring may not have so many.
fn points_of_lightest(settings: &RingHash, members: &[Member]) -> u64 {
    let total: u64 = members.iter().map(|member| u64::from(member.weight)).sum();
    let lightest = lightest(members);
    let wanted = u64::from(settings.size_min) * lightest;
    let mut points = wanted.div_ceil(total.max(1)).next_power_of_two();
    while points > 0 && points * total / lightest > u64::from(settings.size_max) {
        points /= 2;
    }
    points
}
