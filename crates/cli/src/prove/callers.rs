//! The clients of a storm: load generators that stand on the clients' ground.

use std::sync::Arc;

use anyhow::Context;
use bulkhead_load::{Load, LoadOptions};

use super::ground::{Ground, Party};
use super::plan::Plan;
use super::tokens::TokenPool;
use super::workload::{FeedWorkload, FloodWorkload, HeldWorkload};

/// Feeds at the rate of the options.
pub(crate) fn feeds(
    ground: &Ground,
    options: LoadOptions,
    plan: &Plan,
    tokens: Option<&Arc<TokenPool>>,
) -> anyhow::Result<Load> {
    let share = plan.profile.traffic.http2_share;
    let workload = || FeedWorkload::new(plan.seed, share, tokens.cloned());
    let start = || Load::start(options, |_| Box::new(workload()));
    ground.enter(Party::Clients, start)?.context("start the load")
}

/// Requests that wait at the upstream.
pub(crate) fn held(
    ground: &Ground,
    options: LoadOptions,
    tokens: Option<&Arc<TokenPool>>,
) -> anyhow::Result<Load> {
    let start = || Load::start(options, |_| Box::new(HeldWorkload::new(tokens.cloned())));
    ground.enter(Party::Clients, start)?.context("start the held requests")
}

/// Callers without tokens.
pub(crate) fn flood(ground: &Ground, options: LoadOptions) -> anyhow::Result<Load> {
    let start = || Load::start(options, |_| Box::new(FloodWorkload));
    ground.enter(Party::Clients, start)?.context("start the flood")
}
