//! What a route's filter injects, as rules.

use std::sync::Arc;

use bulkhead_chaos::http::{AbortWith, BodyDirection, HeaderCondition, HttpEffect, HttpScope};
use bulkhead_config::model::{self, FaultAbort, FaultFilter};
use bulkhead_upstream::stable_hash;

use crate::injection::{HeaderFault, Rule, Strike};

pub(super) fn rules(route: &model::Route) -> Box<[Arc<Rule>]> {
    let filter = route.filters.iter().find_map(|filter| match filter {
        model::Filter::Fault(fault) => Some(fault),
        _ => None,
    });
    filter.map_or_else(Box::default, |filter| {
        let strikes = strikes(filter).into_iter();
        // A share of nothing is a fault that is switched off.
        let rules = strikes.filter(|(_, percentage)| *percentage > 0.0).zip(0u64..);
        rules
            .filter_map(|((strike, percentage), number)| {
                // The same for the same route, so that a reload does not draw anew.
                let seed = stable_hash(route.name.as_bytes()).wrapping_add(number);
                Rule::with(strike, scope(filter, percentage), seed, None).ok().map(Arc::new)
            })
            .collect()
    })
}

fn strikes(filter: &FaultFilter) -> Vec<(Strike, f64)> {
    let delay = filter.delay.map(|share| {
        let effect =
            share.what.map(|delay| HttpEffect::Delay { delay, direction: BodyDirection::Request });
        (effect.map_or(Strike::Header(HeaderFault::Delay), Strike::Declared), share.percentage)
    });
    let abort = filter.abort.map(|share| {
        let effect = share.what.map(|abort| {
            HttpEffect::Abort(match abort {
                FaultAbort::Http(status) => AbortWith::Status(status),
                FaultAbort::Grpc(status) => AbortWith::GrpcStatus(status),
            })
        });
        (effect.map_or(Strike::Header(HeaderFault::Abort), Strike::Declared), share.percentage)
    });
    let rate = filter.response_rate_limit.map(|share| {
        let effect = share.what.map(|bytes_per_s| HttpEffect::SlowBody {
            bytes_per_s,
            direction: BodyDirection::Response,
        });
        (effect.map_or(Strike::Header(HeaderFault::Throttle), Strike::Declared), share.percentage)
    });
    [delay, abort, rate].into_iter().flatten().collect()
}

fn scope(filter: &FaultFilter, percentage: f64) -> HttpScope {
    HttpScope {
        cluster: filter.upstream_cluster.clone(),
        headers: filter
            .headers
            .iter()
            .map(|(name, value)| HeaderCondition { name: name.clone(), value: value.clone() })
            .collect(),
        active_max: filter.max_active_faults,
        ..HttpScope::all(percentage)
    }
}
