//! Power of two choices: draw two different candidates by weight, take the one with the lower load per
//! weight.
//!
//! Two draws are enough to keep the longest queue short (Mitzenmacher, "The Power of Two Choices in
//! Randomized Load Balancing", 2001), and unlike a scan for the minimum they do not send every
//! worker to the same endpoint at once. What the load is, the algorithm says.

use super::Draw;
use super::candidates::Candidates;
use crate::Rng;
use crate::endpoint::Endpoint;

/// Chooses among at least two candidates. `load` gives an endpoint's load times a number, which is the
/// weight of the other one: multiplied crosswise nothing is divided. A tie goes to the first draw, so
/// that idle endpoints share by weight.
pub(super) fn pick<L: PartialOrd>(
    candidates: &Candidates,
    endpoints: &[Endpoint],
    rng: &mut Rng,
    draw: &Draw,
    load: impl Fn(&Endpoint, u32) -> L,
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
    Some(if load(a, b.weight) <= load(b, a.weight) { first } else { second })
}
