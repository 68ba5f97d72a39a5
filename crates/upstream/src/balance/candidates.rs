//! Endpoints that may be chosen, with what is needed to draw one by weight in constant time.

use std::mem;

use crate::Rng;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// Places in the endpoint table, ascending.
    pub(super) places: Vec<u32>,
    /// Running sum of the weights, the candidate's own included.
    weight_ends: Vec<u64>,
    /// All weights are equal: no need to look at the sums.
    pub(super) uniform: bool,
}

impl Candidates {
    /// Forgets all candidates, and gives their places.
    pub(super) fn clear(&mut self) -> Vec<u32> {
        self.weight_ends.clear();
        self.uniform = true;
        mem::take(&mut self.places)
    }

    /// Adds a candidate, with a higher place than those before it.
    pub(super) fn push(&mut self, place: u32, weight: u32) {
        let before = self.weight_total();
        let weight = u64::from(weight);
        self.uniform &= before == weight * self.places.len() as u64;
        self.places.push(place);
        self.weight_ends.push(before + weight);
    }

    pub(super) const fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn contains(&self, place: u32) -> bool {
        self.places.binary_search(&place).is_ok()
    }

    pub(super) fn weight_total(&self) -> u64 {
        self.weight_ends.last().copied().unwrap_or(0)
    }

    /// Two different candidates by weight, the second as if the first were not there. There must be
    /// at least two.
    pub(super) fn draw_two(&self, rng: &mut Rng) -> Option<(u32, u32)> {
        let (first, second) = self.draw_two_positions(rng);
        Some((*self.places.get(first)?, *self.places.get(second)?))
    }

    fn draw_two_positions(&self, rng: &mut Rng) -> (usize, usize) {
        let ends = &self.weight_ends;
        if self.uniform {
            let count = ends.len() as u64;
            let first = rng.below(count) as usize;
            let second = rng.below(count - 1) as usize;
            return (first, if second >= first { second + 1 } else { second });
        }
        let total = self.weight_total();
        let position = |ticket: u64| ends.partition_point(|&end| end <= ticket);
        let first = position(rng.below(total));
        let first_start = if first == 0 { 0 } else { ends[first - 1] };
        let first_weight = ends[first] - first_start;
        let ticket = rng.below(total - first_weight);
        let second = position(if ticket >= first_start { ticket + first_weight } else { ticket });
        (first, second)
    }
}
