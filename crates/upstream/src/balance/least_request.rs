//! Power of two choices: draw two different candidates by weight, take the less loaded.
//!
//! Two draws are enough to keep the longest queue short, and unlike a scan for the minimum they do
//! not send every worker to the same endpoint at once.

use super::Candidates;
use crate::Rng;
use crate::endpoint::Endpoint;

/// Chooses among at least two candidates.
pub(super) fn pick(
    candidates: &Candidates,
    endpoints: &[Endpoint],
    rng: &mut Rng,
    exclude: Option<u32>,
) -> Option<u32> {
    let (first, second) = draw_two(candidates, rng);
    let first = *candidates.indices.get(first)?;
    let second = *candidates.indices.get(second)?;
    if exclude == Some(first) {
        return Some(second);
    }
    if exclude == Some(second) {
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

/// Two different positions, the second as if the first were not there.
fn draw_two(candidates: &Candidates, rng: &mut Rng) -> (usize, usize) {
    let ends = &candidates.weight_ends;
    if candidates.uniform {
        let count = ends.len() as u64;
        let first = rng.below(count) as usize;
        let second = rng.below(count - 1) as usize;
        return (first, if second >= first { second + 1 } else { second });
    }
    let total = ends.last().copied().unwrap_or(0);
    let position = |ticket: u64| ends.partition_point(|&end| end <= ticket);
    let first = position(rng.below(total));
    let first_start = if first == 0 { 0 } else { ends[first - 1] };
    let first_weight = ends[first] - first_start;
    let ticket = rng.below(total - first_weight);
    let second = position(if ticket >= first_start { ticket + first_weight } else { ticket });
    (first, second)
}
