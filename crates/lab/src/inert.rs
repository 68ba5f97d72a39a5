//! The lab's check of itself: injectors that do everything but inject. Whoever then reports success has
//! not looked.

use bulkhead_chaos::{Effect, Fault, Order, Target};

use crate::{Evidence, Handle, InjectError, Injector, Refusal, Surroundings};

/// An injector of which `inject` does nothing and says that it did. Every injection must come out as
/// not effective.
pub(crate) struct Inert(pub(crate) Box<dyn Injector>);

impl Injector for Inert {
    fn takes(&self, fault: &Fault) -> bool {
        self.0.takes(fault)
    }

    fn reaches(&self, target: &Target) -> bool {
        self.0.reaches(target)
    }

    fn prepare(&self, order: &Order, around: Surroundings) -> Result<Handle, Refusal> {
        self.0.prepare(order, around)
    }

    fn inject(&self, _: &Order, _: &Handle, _: Surroundings) -> Result<(), InjectError> {
        Ok(())
    }

    fn verify(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        self.0.verify(order, handle, around)
    }

    fn revert(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<(), InjectError> {
        self.0.revert(order, handle, around)
    }

    fn verify_reverted(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        self.0.verify_reverted(order, handle, around)
    }

    fn lost(&self, order: &Order, handle: &Handle) -> Option<String> {
        self.0.lost(order, handle)
    }

    fn effect(&self, order: &Order, handle: &Handle, around: Surroundings) -> Option<Effect> {
        self.0.effect(order, handle, around)
    }
}
