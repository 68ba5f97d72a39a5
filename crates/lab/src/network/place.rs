//! The network namespace of an interface.

use std::fs;
use std::path::{Path, PathBuf};

use bulkhead_chaos::InterfaceTarget;

use super::{Namespace, NetworkError};

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
        match &target.namespace {
            None => Self::own(),
            Some(path) => Self::at(path),
        }
    }

    fn own() -> Result<Self, NetworkError> {
        Ok(Self { other: None, identity: Namespace::current()?.identity()? })
    }

    fn at(path: &Path) -> Result<Self, NetworkError> {
        let own = Self::own()?;
        let namespace = Namespace::open(path)?;
        let identity = namespace.identity()?;
        Ok(Self { other: (identity != own.identity).then_some(namespace), identity })
    }

    /// The one of this [name](Self::name): where we are, at its path, or where any process is. `None`: no
    /// process is in it any more, and its path is that of another.
    pub(super) fn find(path: Option<&Path>, name: &str) -> Result<Option<Self>, NetworkError> {
        let own = Self::own()?;
        if own.name() == name {
            return Ok(Some(own));
        }
        let is_it = |path: &Path| Self::at(path).ok().filter(|place| place.name() == name);
        if let Some(place) = path.and_then(is_it) {
            return Ok(Some(place));
        }
        let processes = fs::read_dir("/proc").map_err(NetworkError::at("list processes"))?;
        let mut namespaces = processes.flatten().map(|it| it.path().join("ns/net"));
        Ok(namespaces.find_map(|path: PathBuf| is_it(&path)))
    }

    /// Moves the calling thread there for good.
    pub(super) fn stay(&self) -> Result<(), NetworkError> {
        self.other.as_ref().map_or(Ok(()), Namespace::stay)
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
