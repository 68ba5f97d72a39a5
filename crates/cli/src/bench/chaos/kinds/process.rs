//! Faults of processes: the targets are processes of the bench's own.

use std::fs;
use std::process::Stdio;

use anyhow::Context;
use bulkhead_chaos::{ChaosId, Fault, ProcessFault, Target};
use bulkhead_lab::process_target;

use super::Staged;
use crate::bench::chaos::{Ended, marked};
use crate::chaos::guardian_command;

/// A guardian that nobody tells anything is as idle as a process can be. It ends with us.
pub(super) fn idle() -> anyhow::Result<Ended> {
    let idle = guardian_command()?;
    let mut command = marked(idle.program);
    command.args(idle.arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(Ended).context("start a process to strike")
}

/// A child that waits for the end of its standard input, so that it ends with us.
struct Process {
    child: Ended,
    fault: ProcessFault,
}

pub(super) fn stage(fault: ProcessFault) -> anyhow::Result<Box<dyn Staged>> {
    Ok(Box::new(Process { child: idle()?, fault }))
}

/// What is started again has no standard input, and so would end at once: it is told to wait a little.
pub(super) fn restart() -> anyhow::Result<Box<dyn Staged>> {
    let command = ["sleep", "10"].map(str::to_owned).to_vec();
    stage(ProcessFault::Restart { command })
}

impl Process {
    /// From `/proc/PID/status`, where the lab reads `/proc/PID/stat`.
    fn is_stopped(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.0.id()));
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
        process_target(self.child.0.id()).context("find the process to strike")
    }

    fn is_struck(&mut self, _: ChaosId) -> bool {
        match self.fault {
            ProcessFault::Stop => self.is_stopped(),
            _ => matches!(self.child.0.try_wait(), Ok(Some(_))),
        }
    }

    fn is_left_behind(&mut self, _: ChaosId) -> bool {
        self.is_stopped()
    }
}
