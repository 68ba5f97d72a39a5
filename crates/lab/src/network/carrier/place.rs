//! The network namespace of an interface.

use bulkhead_chaos::InterfaceTarget;

use crate::network::{Namespace, NetworkError};

/// A network namespace: the lab's own, or another.
#[derive(Debug)]
pub(super) struct Place {
    /// `None`: where we are.
    other: Option<Namespace>,
    identity: (u64, u64),
}

impl Place {
    /// Of a target.
    pub(super) fn of(target: &InterfaceTarget) -> Result<Self, NetworkError> {
        let own = Namespace::current()?.identity()?;
        let Some(path) = &target.namespace else {
            return Ok(Self { other: None, identity: own });
        };
        let namespace = Namespace::open(path)?;
        let identity = namespace.identity()?;
        Ok(Self { other: (identity != own).then_some(namespace), identity })
    }

    /// Whether it is that of the lab.
    pub(super) const fn is_own(&self) -> bool {
        self.other.is_none()
    }

    /// What tells it from all others, for a handle.
    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.identity.0, self.identity.1)
    }

    /// Does `work` there.
    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NetworkError> {
        match &self.other {
            Some(namespace) => namespace.enter(work),
            None => Ok(work()),
        }
    }
}
