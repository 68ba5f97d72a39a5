//! An injector whose faults are files, and which fails as it is told to. What is left behind can be
//! seen by anybody: the directory is not empty.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bulkhead_chaos::{Call, Fault, Order};
use bulkhead_lab::{Evidence, Handle, InjectError, Injector, Refusal, Surroundings};
use serde_json::json;

/// What happens in a call in place of what should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It says that nothing was changed.
    Transient,
    /// It says that it will never work.
    Permanent,
    /// It does its work and says that it does not know.
    Unknown,
    /// It says that it did its work, and did not.
    Nothing,
    /// It panics.
    Panic,
    /// It takes so long, and then does its work.
    Hang(Duration),
    /// The process is killed before its work.
    DieBefore,
    /// The process is killed after its work.
    DieAfter,
}

type Scripted = (Call, VecDeque<Trouble>);

#[derive(Clone, Debug, Default)]
pub(crate) struct Fake {
    pub(crate) directory: PathBuf,
    script: Arc<Mutex<Vec<Scripted>>>,
}

impl Fake {
    pub(crate) fn new(directory: PathBuf) -> Self {
        fs::create_dir_all(&directory).unwrap();
        Self { directory, script: Arc::default() }
    }

    /// The next calls of this kind go so; all after them go well.
    pub(crate) fn script(&self, call: Call, troubles: &[Trouble]) {
        self.script.lock().unwrap().push((call, troubles.iter().copied().collect()));
    }

    /// Faults that are in force, seen by nobody's word but the directory's.
    pub(crate) fn left(&self) -> usize {
        fs::read_dir(&self.directory).unwrap().count()
    }

    fn trouble(&self, call: Call) -> Option<Trouble> {
        let mut script = self.script.lock().unwrap();
        script.iter_mut().find(|(of, left)| *of == call && !left.is_empty())?.1.pop_front()
    }

    fn path(&self, order: &Order) -> PathBuf {
        self.directory.join(order.id.to_string())
    }

    fn act(&self, call: Call, work: impl FnOnce()) -> Result<(), InjectError> {
        match self.trouble(call) {
            None => work(),
            Some(Trouble::Transient) => return Err(InjectError::Transient("busy".to_owned())),
            Some(Trouble::Permanent) => return Err(InjectError::Permanent("no right".to_owned())),
            Some(Trouble::Unknown) => {
                work();
                return Err(InjectError::Unknown("the answer was lost".to_owned()));
            }
            Some(Trouble::Nothing) => {}
            Some(Trouble::Panic) => panic!("as it was told to"),
            Some(Trouble::Hang(time)) => {
                thread::sleep(time);
                work();
            }
            Some(Trouble::DieBefore) => die(),
            Some(Trouble::DieAfter) => {
                work();
                die();
            }
        }
        Ok(())
    }
}

fn die() {
    let own = rustix::process::getpid();
    rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap();
    loop {
        thread::park();
    }
}

impl Injector for Fake {
    fn takes(&self, fault: &Fault) -> bool {
        matches!(fault, Fault::Network(_))
    }

    fn prepare(&self, order: &Order, _: Surroundings) -> Result<Handle, Refusal> {
        self.act(Call::Prepare, || ()).map_err(|error| Refusal {
            reason: error.to_string(),
            remedy: "ask for something else".to_owned(),
        })?;
        Ok(json!({"file": self.path(order)}))
    }

    fn inject(&self, order: &Order, _: &Handle, _: Surroundings) -> Result<(), InjectError> {
        self.act(Call::Inject, || fs::write(self.path(order), "in force").unwrap())
    }

    fn verify(&self, order: &Order, _: &Handle, _: Surroundings) -> Result<Evidence, InjectError> {
        self.act(Call::Verify, || ())?;
        let holds = self.path(order).exists();
        Ok(Evidence { holds, seen: format!("the file exists: {holds}") })
    }

    fn revert(&self, order: &Order, handle: &Handle, _: Surroundings) -> Result<(), InjectError> {
        assert_eq!(handle["file"], json!(self.path(order)), "what prepare said comes back");
        self.act(Call::Revert, || drop(fs::remove_file(self.path(order))))
    }

    fn verify_reverted(
        &self,
        order: &Order,
        _: &Handle,
        _: Surroundings,
    ) -> Result<Evidence, InjectError> {
        self.act(Call::VerifyReverted, || ())?;
        let holds = !self.path(order).exists();
        Ok(Evidence { holds, seen: format!("the file is gone: {holds}") })
    }
}
