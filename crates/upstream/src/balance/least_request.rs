//! Power of two choices: draw two different candidates by weight, take the less loaded.
//!
//! Two draws are enough to keep the longest queue short (Mitzenmacher, "The Power of Two Choices in
//! Randomized Load Balancing", 2001), and unlike a scan for the minimum they do not send every
//! worker to the same endpoint at once.

use super::Draw;
use super::candidates::Candidates;
use crate::Rng;
use crate::endpoint::Endpoint;

/// Chooses among at least two candidates.
pub(super) fn pick(
    candidates: &Candidates,
    endpoints: &[Endpoint],
    rng: &mut Rng,
    draw: &Draw,
) -> Option<u32> {
    let (first, second) = candidates.draw_two(rng)?;
    if draw.avoid == Some(first) {
        return Some(second);
    }
    if draw.avoid == Some(second) {
        return Some(first);
    }
    let a = endpoints.get(first as usize)?;
    let b = endpoints.get(second as usize)?;
    // Load is requests in flight per weight; multiplied crosswise to stay in integers. A tie goes to
    // the first draw, so that idle endpoints share by weight.
    let load_a = u64::from(a.in_flight) * u64::from(b.weight);
    let load_b = u64::from(b.in_flight) * u64::from(a.weight);
    Some(if load_a <= load_b { first } else { second })
}
