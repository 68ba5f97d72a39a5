//! `host.memory_limit`: less memory for the control group of a process, so that the kernel kills what
//! needs more.

use std::fs;
use std::io;

use bulkhead_chaos::Target;
use serde::{Deserialize, Serialize};

use super::cgroup::{self, Group};
use super::task::{Kept, Look, Work};
use crate::{Evidence, Refusal};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MemoryLimit {
    group: Group,
    bytes: u64,
    /// As it was; [`u64::MAX`] for none.
    before: u64,
}

impl MemoryLimit {
    pub(super) fn prepare(bytes: u64, target: &Target) -> Result<Self, Refusal> {
        let Target::Process { pid, start_time } = *target else {
            return Err(Refusal::new(
                "the target is no process",
                "name one by `pid` and `start_time`",
            ));
        };
        let group = cgroup::of_process(pid, start_time, "memory")?;
        let own = cgroup::find(std::process::id(), "memory").ok().flatten();
        if own.is_some_and(|own| own.is_within(&group)) {
            return Err(Refusal::new(
                "the lab itself is in this control group",
                "start the target in a control group of its own",
            ));
        }
        let before = group.memory_limit().map_err(|error| {
            Refusal::new(
                format!("the limit of {group} is unknown: {error}"),
                "check the memory controller",
            )
        })?;
        if !group.may_limit_memory() {
            return Err(Refusal::new(
                format!("the memory limit of {group} may not be written"),
                "run the lab as root, or have the group delegated to its user",
            ));
        }
        if before <= bytes {
            return Err(Refusal::new(format!("its limit is {before} already"), "ask for less"));
        }
        Ok(Self { group, bytes, before })
    }

    pub(super) fn look(&self) -> Look<'_> {
        Box::new(|| self.see(|limit| limit <= self.bytes, false))
    }

    fn see(&self, is_so: impl Fn(u64) -> bool, if_gone: bool) -> Evidence {
        match self.group.effective_memory_limit() {
            Ok(limit) => Evidence {
                holds: is_so(limit),
                seen: format!("{} may have {limit} bytes{}", self.group, self.group.kills()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Evidence { holds: if_gone, seen: format!("{} is gone", self.group) }
            }
            Err(error) => Evidence { holds: false, seen: error.to_string() },
        }
    }

    pub(super) fn limit(&self) -> String {
        format!("memory of {}", self.group)
    }
}

impl Work for MemoryLimit {
    fn begin(&self) -> io::Result<Kept> {
        self.group.limit_memory(self.bytes).map_err(|error| match error.kind() {
            io::ErrorKind::ResourceBusy => {
                io::Error::other("the group has more in use than that, and this kernel kills nothing to lower a limit (control groups 1): ask for more")
            }
            _ => error,
        })?;
        Ok(Kept::Nothing)
    }

    /// To no less than it was: so it comes out right in whatever order several are taken back.
    fn restore(&self) -> io::Result<()> {
        match self.group.memory_limit() {
            Ok(limit) if limit < self.before => self.group.limit_memory(self.before),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// By the group's own limit: that of one above may be lower.
    fn look_restored(&self) -> io::Result<Evidence> {
        match fs::exists(self.group.directory()) {
            Ok(false) => Ok(self.see(|_| true, true)),
            _ => {
                let limit = self.group.memory_limit()?;
                let seen = format!("{} may have {limit} bytes{}", self.group, self.group.kills());
                Ok(Evidence { holds: limit >= self.before, seen })
            }
        }
    }
}
