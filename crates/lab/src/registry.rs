//! The injectors that there are.

use bulkhead_chaos::Fault;

use crate::Injector;
use crate::idle::Idle;

/// Injectors, of which the first that takes a fault carries it out.
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

    /// The same, none of which does anything when it is told to inject: a lab that verifies finds each of
    /// its injections not effective. The lab's own mutation check.
    #[must_use]
    pub fn injecting_nothing(self) -> Self {
        let idle = |injector| Box::new(Idle(injector)) as Box<dyn Injector>;
        Self(self.0.into_iter().map(idle).collect())
    }

    pub(crate) fn find(&self, fault: &Fault) -> Option<&dyn Injector> {
        self.0.iter().find(|injector| injector.takes(fault)).map(|injector| &**injector)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Registry({})", self.0.len())
    }
}
