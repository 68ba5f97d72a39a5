//! The injectors that there are.

use bulkhead_chaos::Order;

use crate::inert::Inert;
use crate::{Handle, Injector, Refusal, Surroundings};

/// Injectors, of which the first that takes a fault and reaches its target carries it out.
#[derive(Default)]
pub struct Registry(Vec<Box<dyn Injector>>);

impl Registry {
    /// Without any.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more.
    #[must_use]
    pub fn with(mut self, injector: impl Injector + 'static) -> Self {
        self.0.push(Box::new(injector));
        self
    }

    /// With the same injectors, none of which injects anything, though they say so: every injection
    /// must then come out as not effective. The lab's check of itself.
    #[must_use]
    pub fn inert(self) -> Self {
        Self(self.0.into_iter().map(|it| Box::new(Inert(it)) as Box<dyn Injector>).collect())
    }

    /// As [`Injector::prepare`], of whichever there is for this order.
    pub(crate) fn prepare(&self, order: &Order, around: Surroundings) -> Result<Handle, Refusal> {
        match self.find(order) {
            Some(injector) => injector.prepare(order, around),
            None => Err(Refusal::new(
                format!("this lab cannot inject {}", order.fault.kind()),
                "choose one of the kinds in docs/chaos.md",
            )),
        }
    }

    /// The first that takes the fault and reaches the target; if none reaches it, the first that takes
    /// the fault, to say so.
    pub(crate) fn find(&self, order: &Order) -> Option<&dyn Injector> {
        let mut takers = self.0.iter().map(|it| &**it).filter(|it| it.takes(&order.fault));
        takers.clone().find(|it| it.reaches(&order.target)).or_else(|| takers.next())
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Registry({})", self.0.len())
    }
}
