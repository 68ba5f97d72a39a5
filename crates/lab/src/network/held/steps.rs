//! What an injector asks of a process that holds something.

use bulkhead_chaos::{Call, Effect, Order};

use super::{AskError, Holder, Outcome, Want};
use crate::{Handle, Surroundings};

impl<F, P> Holder<F, P> {
    /// Lets it carry out a step of an injector. `handle`: null where it needs none.
    pub(in crate::network) fn step(
        &self,
        call: Call,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Outcome, AskError> {
        let (order, handle) = (Box::new(order.clone()), handle.clone());
        self.ask(Want::Call { call, order, handle, unix: around.unix }, around.deadline)
    }

    /// What a fault has done, as it counts.
    pub(in crate::network) fn effect(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Option<Effect> {
        let want = Want::Effect { order: Box::new(order.clone()), handle: handle.clone() };
        match self.ask(want, around.deadline) {
            Ok(Outcome::Effect(effect)) => effect,
            _ => None,
        }
    }
}
