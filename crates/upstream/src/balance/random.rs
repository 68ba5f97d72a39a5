//! One draw by weight. Keeps no state, so workers need not agree on anything; under load its queues
//! are longer than those of power of two choices.

use super::Draw;
use super::candidates::Candidates;
use crate::Rng;

/// Chooses among at least two candidates.
pub(super) fn pick(candidates: &Candidates, rng: &mut Rng, draw: &Draw) -> Option<u32> {
    let (first, second) = candidates.draw_two(rng)?;
    Some(if draw.avoid == Some(first) { second } else { first })
}
