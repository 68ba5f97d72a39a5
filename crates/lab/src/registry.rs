//! The injectors that there are.

use bulkhead_chaos::Order;

use crate::inert::Inert;
use crate::network::{HeldLinkInjector, HeldLinks};
use crate::{Handle, Injector, Refusal, Surroundings};

/// Injectors, of which the first that takes a fault and reaches its target carries it out.
#[derive(Default)]
pub struct Registry {
    injectors: Vec<Box<dyn Injector>>,
    links: Option<HeldLinks>,
}

impl Registry {
    /// Without any.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more.
    #[must_use]
    pub fn with(mut self, injector: impl Injector + 'static) -> Self {
        self.injectors.push(Box::new(injector));
        self
    }

    /// With links that the lab holds for its clients, and the injector for them.
    #[must_use]
    pub fn with_links(mut self, links: HeldLinks) -> Self {
        self.links = Some(links.clone());
        self.with(HeldLinkInjector::new(links))
    }

    /// With the same injectors, none of which injects anything, though they say so: every injection
    /// must then come out as not effective. The lab's check of itself.
    #[must_use]
    pub fn inert(self) -> Self {
        let inert = |it| Box::new(Inert(it)) as Box<dyn Injector>;
        Self { injectors: self.injectors.into_iter().map(inert).collect(), links: self.links }
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
        let mut takers = self.injectors.iter().map(|it| &**it).filter(|it| it.takes(&order.fault));
        takers.clone().find(|it| it.reaches(&order.target)).or_else(|| takers.next())
    }

    /// Links that the lab holds, if it does.
    pub(crate) const fn links(&self) -> Option<&HeldLinks> {
        self.links.as_ref()
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Registry({})", self.injectors.len())
    }
}
