//! The injectors that there are.

use bulkhead_chaos::Fault;

use crate::Injector;

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

    pub(crate) fn find(&self, fault: &Fault) -> Option<&dyn Injector> {
        self.0.iter().find(|injector| injector.takes(fault)).map(|injector| &**injector)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Registry({})", self.0.len())
    }
}
