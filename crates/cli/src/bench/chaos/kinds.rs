//! What is injected into what, and how it is seen without asking the lab. One entry for each kind.

use std::fs;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use bulkhead_chaos::{Fault, ProcessFault, Target};
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
    fn is_struck(&mut self) -> bool;
    /// By another way than the lab's: is anything of it left, after it was taken back?
    fn is_left_behind(&mut self) -> bool;
}

/// All kinds that can be measured on this machine.
pub(super) const KINDS: &[Kind] = &[
    Kind { name: "process.stop", stage: || Process::stage(ProcessFault::Stop) },
    Kind { name: "process.kill", stage: || Process::stage(ProcessFault::Kill) },
];

/// A child that waits for the end of its standard input, so that it ends with us.
struct Process {
    child: Child,
    fault: ProcessFault,
}

impl Process {
    fn stage(fault: ProcessFault) -> anyhow::Result<Box<dyn Staged>> {
        // A guardian that nobody tells anything is as idle as a process can be.
        let idle = guardian_command()?;
        let child = Command::new(idle.program)
            .args(idle.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start a process to strike")?;
        Ok(Box::new(Self { child, fault }))
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

    fn is_struck(&mut self) -> bool {
        match self.fault {
            ProcessFault::Stop => self.is_stopped(),
            _ => matches!(self.child.try_wait(), Ok(Some(_))),
        }
    }

    fn is_left_behind(&mut self) -> bool {
        self.is_stopped()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
