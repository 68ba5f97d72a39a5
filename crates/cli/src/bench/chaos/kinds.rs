//! What is injected into what, and how it is seen without asking the lab. One entry for each kind.

mod gateway;
mod host;

use std::fs;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use bulkhead_chaos::{ChaosId, Fault, ProcessFault, Target};
use bulkhead_lab::process_target;

use crate::chaos::guardian_command;

/// A kind of fault, and how a target for it is made.
pub(super) struct Kind {
    /// As the fault's declaration says it.
    pub(super) name: &'static str,
    /// Makes a target of our own.
    pub(super) stage: fn() -> anyhow::Result<Box<dyn Staged>>,
}

/// A target of our own. Dropping it removes it.
pub(super) trait Staged {
    fn fault(&self) -> Fault;
    fn target(&self) -> anyhow::Result<Target>;
    /// By another way than the lab's: is the fault in force?
    fn is_struck(&mut self, id: ChaosId) -> bool;
    /// By another way than the lab's: is anything of it left, after it was taken back?
    fn is_left_behind(&mut self, id: ChaosId) -> bool;
}

/// All kinds that can be measured on this machine.
pub(super) const KINDS: &[Kind] = &[
    Kind { name: "process.stop", stage: || Process::stage(ProcessFault::Stop) },
    Kind { name: "process.kill", stage: || Process::stage(ProcessFault::Kill) },
    Kind { name: "http.abort", stage: gateway::abort },
    Kind { name: "http.delay", stage: gateway::delay },
    Kind { name: "gateway.stall_worker", stage: gateway::stall_worker },
    Kind { name: "gateway.kill_worker", stage: gateway::kill_worker },
    Kind { name: "process.restart", stage: Process::stage_restart },
    Kind { name: "host.cpu", stage: host::cpu },
    Kind { name: "host.memory", stage: host::memory },
    Kind { name: "host.io", stage: host::io },
    Kind { name: "host.disk_full", stage: host::disk_full },
    Kind { name: "host.descriptors", stage: host::descriptors },
    Kind { name: "host.memory_limit", stage: host::memory_limit },
];

/// A guardian that nobody tells anything is as idle as a process can be. It ends with us.
fn idle() -> anyhow::Result<Child> {
    let idle = guardian_command()?;
    Command::new(idle.program)
        .args(idle.arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("start a process to strike")
}

/// A child that waits for the end of its standard input, so that it ends with us.
struct Process {
    child: Child,
    fault: ProcessFault,
}

impl Process {
    fn stage(fault: ProcessFault) -> anyhow::Result<Box<dyn Staged>> {
        Ok(Box::new(Self { child: idle()?, fault }))
    }

    /// What is started again has no standard input, and so ends at once: what is looked for is that it
    /// was started, so it is told to wait a little.
    fn stage_restart() -> anyhow::Result<Box<dyn Staged>> {
        let command = ["sleep", "10"].map(str::to_owned).to_vec();
        Self::stage(ProcessFault::Restart { command })
    }

    /// From `/proc/PID/status`, where the lab reads `/proc/PID/stat`.
    fn is_stopped(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        status.is_ok_and(|status| {
            let state = status.lines().find_map(|line| line.strip_prefix("State:"));
            state.is_some_and(|state| state.trim_start().starts_with(['T', 't']))
        })
    }
}

impl Staged for Process {
    fn fault(&self) -> Fault {
        Fault::Process(self.fault.clone())
    }

    fn target(&self) -> anyhow::Result<Target> {
        process_target(self.child.id()).context("find the process to strike")
    }

    fn is_struck(&mut self, _: ChaosId) -> bool {
        match self.fault {
            ProcessFault::Stop => self.is_stopped(),
            _ => matches!(self.child.try_wait(), Ok(Some(_))),
        }
    }

    fn is_left_behind(&mut self, _: ChaosId) -> bool {
        self.is_stopped()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
