//! `network.*` on links that the lab holds: every step is carried out by the process of the link.

use std::sync::Arc;

use bulkhead_chaos::{Call, Effect, Fault, Order, Target};

use super::{AskError, HeldLinks, LinkHolder};
use crate::network::injector::gone;
use crate::{Evidence, Handle, InjectError, Injector, Refusal, Surroundings};

/// Carries out `network.*` on held links.
#[derive(Clone, Debug)]
pub(crate) struct HeldLinkInjector {
    links: HeldLinks,
}

impl HeldLinkInjector {
    pub(crate) const fn new(links: HeldLinks) -> Self {
        Self { links }
    }

    fn named(&self, order: &Order) -> Option<Arc<LinkHolder>> {
        match &order.target {
            Target::Link { name } => self.links.holder(name),
            _ => None,
        }
    }

    /// The very link for which the order was prepared; a later one of the same name is another.
    fn prepared(&self, order: &Order, handle: &Handle) -> Option<Arc<LinkHolder>> {
        self.named(order).filter(|it| handle["process"] == it.place().pid && it.is_alive())
    }
}

impl Injector for HeldLinkInjector {
    fn takes(&self, fault: &Fault) -> bool {
        matches!(fault, Fault::Network(_))
    }

    fn reaches(&self, target: &Target) -> bool {
        matches!(target, Target::Link { .. })
    }

    fn prepare(&self, order: &Order, around: Surroundings) -> Result<Handle, Refusal> {
        let Some(holder) = self.named(order) else {
            return Err(Refusal::new(
                format!("the lab holds no such link: {:?}", order.target),
                "make it with `bulkhead chaos link add NAME`",
            ));
        };
        match holder.step(Call::Prepare, order, &Handle::Null, around) {
            Ok(outcome) => outcome.prepared(),
            Err(error) => Err(Refusal::new(
                error.to_string(),
                "make it anew with `bulkhead chaos link add NAME`, or wait until it answers",
            )),
        }
    }

    fn inject(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<(), InjectError> {
        match self.prepared(order, handle) {
            Some(holder) => holder.step(Call::Inject, order, &Handle::Null, around)?.done(),
            None => Err(AskError::Gone.into()),
        }
    }

    fn verify(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        match self.prepared(order, handle) {
            Some(holder) => holder.step(Call::Verify, order, &Handle::Null, around)?.seen(),
            None => Ok(Evidence { holds: false, seen: AskError::Gone.to_string() }),
        }
    }

    fn revert(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<(), InjectError> {
        let Some(holder) = self.prepared(order, handle) else { return gone(handle).map(|_| ()) };
        match holder.step(Call::Revert, order, &Handle::Null, around) {
            Err(AskError::Gone) => Ok(()),
            answer => answer?.done(),
        }
    }

    fn verify_reverted(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        let Some(holder) = self.prepared(order, handle) else { return gone(handle) };
        match holder.step(Call::VerifyReverted, order, &Handle::Null, around) {
            Err(AskError::Gone) => gone(handle),
            answer => answer?.seen(),
        }
    }

    fn effect(&self, order: &Order, handle: &Handle, around: Surroundings) -> Option<Effect> {
        self.prepared(order, handle)?.effect(order, &Handle::Null, around)
    }
}
