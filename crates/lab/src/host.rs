//! Faults in what a host has to give: processors, memory, disks, descriptors.
//!
//! Each is carried out by a child process. Load (threads, memory, files without a name) is gone when its
//! child is, and the child goes with the lab: the kernel ends it when the lab ends or its time is over
//! ([`carry`]). Limits that were lowered are raised by the child when the pipe from the lab closes, and by
//! whoever takes the fault back from the journal. Children bear the id of their injection in their
//! environment, so that a later lab finds them.

mod carry;
mod cgroup;
mod children;
mod cpu;
mod descriptors;
mod disk;
mod io;
mod memory;
mod memory_limit;
mod task;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bulkhead_chaos::{ChaosId, Fault, HostFault, Order};
use serde_json::json;

use crate::injector::part;
use crate::process::look_until;
use crate::{Evidence, GuardianCommand, Handle, InjectError, Injector, Refusal, Surroundings};
pub use carry::carry;
pub(crate) use children::{Children, with_variable};
pub(crate) use task::{Kept, Task, Work};

/// Carries out `host.*`.
#[derive(Debug)]
pub struct HostInjector {
    children: Children,
    /// Which injection has lowered which limit: two would show each other's effect as their own.
    lowered: Mutex<HashMap<String, ChaosId>>,
}

impl HostInjector {
    /// `command`: how to start a process that calls [`carry`].
    pub fn new(command: GuardianCommand) -> Self {
        Self { children: Children::new(command), lowered: Mutex::default() }
    }

    fn lowered(&self) -> MutexGuard<'_, HashMap<String, ChaosId>> {
        self.lowered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The injection that has lowered the same limit, if that is another one.
    fn rival(&self, id: ChaosId, task: &Task) -> Option<ChaosId> {
        let limit = task.limit()?;
        self.lowered().get(&limit).copied().filter(|owner| *owner != id)
    }
}

const fn fault(order: &Order) -> Option<&HostFault> {
    match &order.fault {
        Fault::Host(fault) => Some(fault),
        _ => None,
    }
}

fn task(handle: &Handle) -> Result<Task, InjectError> {
    part(handle, "task")
}

impl Injector for HostInjector {
    fn takes(&self, fault: &Fault) -> bool {
        matches!(fault, Fault::Host(_))
    }

    fn prepare(&self, order: &Order, _: Surroundings) -> Result<Handle, Refusal> {
        let fault =
            fault(order).ok_or_else(|| Refusal::new("this is no fault of a host", "choose one"))?;
        fault.check().map_err(|error| Refusal::new(error.to_string(), "see docs/chaos.md"))?;
        let (task, note) = Task::prepare(fault, &order.target)?;
        if let Some(rival) = self.rival(order.id, &task) {
            return Err(Refusal::new(
                format!("{rival} has lowered this limit"),
                "take that back first",
            ));
        }
        Ok(json!({"task": task, "carrier": "child process", "note": note}))
    }

    fn inject(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<(), InjectError> {
        let task = task(handle)?;
        let left = around.still(order)?;
        if let Some(limit) = task.limit() {
            let owner = *self.lowered().entry(limit).or_insert(order.id);
            if owner != order.id {
                return Err(InjectError::Permanent(format!("{owner} has lowered this limit")));
            }
        }
        self.children.start(order.id, &task, left, around.deadline)
    }

    fn verify(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        let task = task(handle)?;
        let Some(child) = self.children.find(order.id) else {
            return Ok(Evidence { holds: false, seen: "nobody carries the fault".to_owned() });
        };
        let look = task.look(child.pid());
        let mut look = look.map_err(|error| InjectError::Unknown(error.to_string()))?;
        Ok(look_until(around.deadline, || match child.lost() {
            Some(how) => Evidence { holds: false, seen: format!("injection lost: {how}") },
            None => look(),
        }))
    }

    fn revert(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<(), InjectError> {
        let task = task(handle)?;
        let unknown = |error: std::io::Error| InjectError::Unknown(error.to_string());
        self.children.end(order.id, around.deadline).map_err(unknown)?;
        if self.rival(order.id, &task).is_none() {
            task.work().restore().map_err(unknown)?;
            self.lowered().retain(|_, owner| *owner != order.id);
        }
        Ok(())
    }

    fn verify_reverted(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        let task = task(handle)?;
        let restores = self.rival(order.id, &task).is_none();
        let evidence = look_until(around.deadline, || {
            if let Some(pid) = children::pids(order.id).first() {
                let seen = format!("process {pid} still carries the fault");
                return Evidence { holds: false, seen };
            }
            match task.work().look_restored() {
                Ok(evidence) if restores => evidence,
                Ok(_) => Evidence { holds: true, seen: "another one has lowered it".to_owned() },
                Err(error) => Evidence { holds: false, seen: error.to_string() },
            }
        });
        Ok(self.children.telling_how_lost(order.id, evidence))
    }
}
