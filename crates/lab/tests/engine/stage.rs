//! What the tests share: directories that go away, labs, requests.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bulkhead_chaos::{
    Caller, Direction, EngineOptions, Fault, InjectRequest, NetworkFault, Partition, Policy, Role,
    Target,
};
use bulkhead_lab::{Lab, LabOptions, Registry};

use crate::fake::Fake;

/// Bound of every wait: far more than anything takes on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bulkhead-lab-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn fake(&self) -> Fake {
        Fake::new(self.0.join("faults"))
    }

    pub(crate) fn options(&self) -> LabOptions {
        LabOptions {
            directory: self.0.join("state"),
            // Busy machines: what is tested is the order of things, not how fast they are.
            engine: EngineOptions { overall_ms: 20_000, ..EngineOptions::default() },
            policy: Policy::default(),
            seed: 1,
        }
    }

    pub(crate) fn lab(&self, fake: &Fake) -> Lab {
        Lab::open(self.options(), Registry::new().with(fake.clone())).unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn request() -> InjectRequest {
    let partition = Partition { direction: Some(Direction::Both) };
    let target = Target::Link { name: "client".to_owned() };
    InjectRequest::new(Fault::Network(NetworkFault::Partition(partition)), target)
}

pub(crate) fn ann() -> Caller {
    Caller { name: "ann".to_owned(), role: Role::Approver }
}
