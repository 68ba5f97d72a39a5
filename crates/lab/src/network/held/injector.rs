//! `network.*` on links that the lab holds: every step is carried out by the process of the link.

use std::sync::Arc;

use bulkhead_chaos::{Call, Effect, Fault, Order, Target};

use super::{AskError, HeldLinks, Outcome, Want};
use crate::network::injector::gone;
use crate::{Evidence, Handle, InjectError, Injector, Refusal, Surroundings};

use super::child::Holder;

/// Carries out `network.*` on held links.
#[derive(Clone, Debug)]
pub(crate) struct HeldLinkInjector {
    links: HeldLinks,
}

impl HeldLinkInjector {
    pub(crate) const fn new(links: HeldLinks) -> Self {
        Self { links }
    }

    fn named(&self, order: &Order) -> Option<Arc<Holder>> {
        match &order.target {
            Target::Link { name } => self.links.holder(name),
            _ => None,
        }
    }

    /// The very link for which the order was prepared; a later one of the same name is another.
    fn prepared(&self, order: &Order, handle: &Handle) -> Option<Arc<Holder>> {
        self.named(order).filter(|it| handle["process"] == it.place().pid && it.is_alive())
    }
}

fn ask(
    holder: &Holder,
    call: Call,
    order: &Order,
    around: Surroundings,
) -> Result<Outcome, AskError> {
    let order = Box::new(order.clone());
    holder.ask(Want::Call { call, order, unix: around.unix }, around.deadline)
}

fn done(outcome: Outcome) -> Result<(), InjectError> {
    match outcome {
        Outcome::Done(done) => done,
        _ => Err(odd()),
    }
}

fn seen(outcome: Outcome) -> Result<Evidence, InjectError> {
    match outcome {
        Outcome::Seen(seen) => seen,
        _ => Err(odd()),
    }
}

fn odd() -> InjectError {
    InjectError::Unknown("the process that holds the link answered something else".to_owned())
}

impl From<AskError> for InjectError {
    fn from(error: AskError) -> Self {
        match error {
            // Faults vanish with the link.
            AskError::Gone | AskError::TooLong => Self::Permanent(error.to_string()),
            AskError::Late => Self::Unknown(error.to_string()),
        }
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
        match ask(&holder, Call::Prepare, order, around) {
            Ok(Outcome::Prepared(prepared)) => prepared,
            Ok(_) => Err(Refusal::new(odd().to_string(), "make the link anew")),
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
            Some(holder) => done(ask(&holder, Call::Inject, order, around)?),
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
            Some(holder) => seen(ask(&holder, Call::Verify, order, around)?),
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
        match ask(&holder, Call::Revert, order, around) {
            Err(AskError::Gone) => Ok(()),
            answer => done(answer?),
        }
    }

    fn verify_reverted(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        let Some(holder) = self.prepared(order, handle) else { return gone(handle) };
        match ask(&holder, Call::VerifyReverted, order, around) {
            Err(AskError::Gone) => gone(handle),
            answer => seen(answer?),
        }
    }

    fn effect(&self, order: &Order, handle: &Handle, around: Surroundings) -> Option<Effect> {
        let order_of = Box::new(order.clone());
        let want = Want::Effect { order: order_of };
        match self.prepared(order, handle)?.ask(want, around.deadline) {
            Ok(Outcome::Effect(effect)) => effect,
            _ => None,
        }
    }
}
