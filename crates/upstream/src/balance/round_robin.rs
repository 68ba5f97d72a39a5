//! Weighted round robin, smooth: weights 5, 1, 1 give `a a b a c a a`, not `a a a a a b c`.
//!
//! Each pick raises every candidate's credit by its weight, takes the one with the most credit and
//! lowers that by the sum of the weights. This is linear in the number of candidates; with equal
//! weights (the common case) a cursor does the same in constant time.

use super::Draw;
use super::candidates::Candidates;
use crate::endpoint::Endpoint;

#[derive(Debug, Default)]
pub(super) struct RoundRobin {
    cursor: usize,
    /// By place in the endpoint table.
    credits: Vec<i64>,
}

impl RoundRobin {
    /// Begins anew: credits of other candidates, or of higher weights, would favour somebody.
    pub(super) fn begin(&mut self, places: usize) {
        self.credits.clear();
        self.credits.resize(places, 0);
    }

    /// Chooses among at least two candidates.
    pub(super) fn pick(
        &mut self,
        candidates: &Candidates,
        endpoints: &[Endpoint],
        draw: &Draw,
    ) -> Option<u32> {
        if candidates.uniform {
            let chosen = self.next_in_turn(candidates)?;
            return if Some(chosen) == draw.avoid {
                self.next_in_turn(candidates)
            } else {
                Some(chosen)
            };
        }
        self.most_credit(candidates, endpoints, draw.avoid)
    }

    fn next_in_turn(&mut self, candidates: &Candidates) -> Option<u32> {
        if self.cursor >= candidates.places.len() {
            self.cursor = 0;
        }
        let chosen = candidates.places.get(self.cursor).copied();
        self.cursor += 1;
        chosen
    }

    fn most_credit(
        &mut self,
        candidates: &Candidates,
        endpoints: &[Endpoint],
        avoid: Option<u32>,
    ) -> Option<u32> {
        let mut best: Option<(u32, i64)> = None;
        let mut sum = 0;
        for &index in &candidates.places {
            if avoid == Some(index) {
                continue;
            }
            let weight = i64::from(endpoints.get(index as usize)?.weight);
            let credit = self.credits.get_mut(index as usize)?;
            *credit += weight;
            sum += weight;
            if best.is_none_or(|(_, most)| *credit > most) {
                best = Some((index, *credit));
            }
        }
        let (chosen, _) = best?;
        *self.credits.get_mut(chosen as usize)? -= sum;
        Some(chosen)
    }
}
