//! Abort conditions at work: which injections they guard, and what is seen of them.

use std::time::Duration;

use bulkhead_chaos::{AbortCondition, AbortWatch, ChaosId, Sample};
use serde_json::json;

use super::{LAB, Shared};
use crate::Denied;
use crate::metrics::Pages;

/// For the look before an order, which delays no other: a server that is busy is no reason to turn it away.
const FIRST_LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// Conditions of one order and the injections that they guard.
#[derive(Debug)]
pub(super) struct Watched {
    ids: Vec<ChaosId>,
    watches: Vec<AbortWatch>,
}

/// Begins to watch. The engine bounds how many there are: those of ended injections go.
pub(super) fn begin(watched: &mut Vec<Watched>, ids: &[ChaosId], conditions: &[AbortCondition]) {
    let known = watched.iter().any(|group| group.ids.first() == ids.first());
    if conditions.is_empty() || known {
        return;
    }
    let watches = conditions.iter().cloned().map(AbortWatch::new).collect();
    watched.push(Watched { ids: ids.to_vec(), watches });
}

/// What cannot be seen of these conditions, if anything.
pub(super) fn blind(conditions: &[AbortCondition]) -> Result<(), Denied> {
    let admins = conditions.iter().map(|condition| condition.admin);
    let pages = Pages::read_within(FIRST_LOOK_TIMEOUT, admins);
    for condition in conditions {
        let admin = condition.admin;
        let Some(page) = pages.of(admin) else {
            let why = format!("the admin server at {admin} does not tell its metrics; start it");
            return Err(Denied::Blind(why));
        };
        for metric in [Some(&condition.metric), condition.over.as_ref()].into_iter().flatten() {
            if page.sum(metric).is_none() {
                let why = format!("there is no `{metric}` among http://{admin}/metrics; see there");
                return Err(Denied::Blind(why));
            }
        }
    }
    Ok(())
}

impl Shared {
    /// Looks once at all metrics that guard something, without holding the lock while reading them.
    pub(super) fn look(&self) {
        let mut groups = {
            let mut core = self.core();
            let core = &mut *core;
            let alive =
                |id: &ChaosId| core.engine.injection(*id).is_some_and(|it| !it.state.is_terminal());
            core.watches.retain(|group| group.ids.iter().any(alive));
            std::mem::take(&mut core.watches)
        };
        if groups.is_empty() {
            return;
        }
        let watches = groups.iter().flat_map(|group| &group.watches);
        let pages = Pages::read(watches.map(|watch| watch.condition().admin));
        for group in &mut groups {
            if let Some(why) = self.breach(group, &pages) {
                for id in &group.ids {
                    self.step(|engine, now| engine.stop(now, *id, &why));
                }
                self.audit(LAB, "abort", json!({"ids": group.ids, "why": why}));
            }
        }
        // Orders may have come meanwhile.
        self.core().watches.append(&mut groups);
    }

    fn breach(&self, group: &mut Watched, pages: &Pages) -> Option<String> {
        let mut breach = None;
        for watch in &mut group.watches {
            let condition = watch.condition();
            let sample = pages.of(condition.admin).map_or_else(Sample::default, |page| Sample {
                value: page.sum(&condition.metric),
                over: condition.over.as_ref().and_then(|over| page.sum(over)),
            });
            let seen = watch.observe(self.clock.now(), sample);
            breach = breach.or(seen);
        }
        breach.map(|why| format!("abort condition: {why}"))
    }
}
