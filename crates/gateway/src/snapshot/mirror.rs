//! A route's mirror, compiled.

use bulkhead_config::model;

use super::{ClusterId, ClusterIds};

/// Another cluster that gets a copy of `numerator` of `denominator` requests.
#[derive(Debug)]
pub(crate) struct Mirror {
    pub(crate) cluster: ClusterId,
    pub(crate) numerator: u64,
    pub(crate) denominator: u64,
    /// Request body that the copy may be behind, in bytes.
    pub(crate) buffer_bytes_max: usize,
    /// Copies in flight, of all routes, up to which there is another one; per worker.
    pub(crate) in_flight_max: usize,
}

pub(super) fn compile(route: &model::Route, ids: &ClusterIds) -> Option<Mirror> {
    let mirror = route.filters.iter().find_map(|filter| match filter {
        model::Filter::Mirror(mirror) => Some(mirror),
        _ => None,
    })?;
    Some(Mirror {
        cluster: ids.of(&mirror.cluster),
        numerator: mirror.numerator.into(),
        denominator: mirror.denominator.into(),
        buffer_bytes_max: mirror.buffer_bytes_max as usize,
        in_flight_max: mirror.in_flight_max as usize,
    })
}
