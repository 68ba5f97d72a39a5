//! Injections that have ended by themselves before they were to: what held them has ended.

use bulkhead_chaos::{ChaosId, Order, State};
use serde_json::json;

use super::{LAB, Shared};
use crate::Handle;

impl Shared {
    /// Looks once, without holding the lock while asking. What is lost is taken back, by which it is seen that
    /// nothing is left.
    pub(super) fn look_for_lost(&self) {
        for (id, why) in self.in_force().iter().filter_map(|it| self.how_lost(it)) {
            self.step(|engine, now| engine.stop(now, id, &why));
            self.audit(LAB, "lost", json!({"ids": [id], "why": why}));
        }
    }

    fn in_force(&self) -> Vec<(Order, Handle)> {
        let core = self.core();
        let active = core.engine.live().filter(|it| it.state == State::Active);
        active.filter_map(|it| Some((it.order.clone(), it.handle.clone()?))).collect()
    }

    fn how_lost(&self, (order, handle): &(Order, Handle)) -> Option<(ChaosId, String)> {
        let why = self.registry.find(order)?.lost(order, handle)?;
        Some((order.id, format!("injection lost: {why}")))
    }
}
