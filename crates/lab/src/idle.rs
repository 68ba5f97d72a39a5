//! The lab's own mutation check: an injector that says it has injected, and has done nothing. Whoever believes
//! what such an injector says does not verify.

use bulkhead_chaos::{Fault, Order};

use crate::{Evidence, Handle, InjectError, Injector, Refusal, Surroundings};

/// Another injector, which looks and takes back as ever, but injects nothing.
pub(crate) struct Idle(pub(crate) Box<dyn Injector>);

impl Injector for Idle {
    fn takes(&self, fault: &Fault) -> bool {
        self.0.takes(fault)
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
}
