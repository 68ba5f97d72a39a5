//! What a child is given to do, as the journal keeps it.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use bulkhead_chaos::{HostFault, Target};
use serde::{Deserialize, Serialize};

use super::{cpu, descriptors, disk, io as input_output, memory, memory_limit};
use crate::network::Placement;
use crate::{Evidence, Refusal};

/// What a child holds until its end.
#[derive(Debug)]
#[expect(dead_code, reason = "it is held, not read")]
pub(crate) enum Kept {
    Nothing,
    Memory(Vec<Vec<u8>>),
    File(File),
}

/// One kind of work.
pub(crate) trait Work {
    /// In the child: makes it so. What is returned is held until the end.
    fn begin(&self) -> io::Result<Kept>;

    /// Takes back what the end of the child does not, in whatever process.
    fn restore(&self) -> io::Result<()> {
        Ok(())
    }

    /// Whether that is so.
    fn look_restored(&self) -> io::Result<Evidence> {
        Ok(Evidence { holds: true, seen: "no process carries the fault".to_owned() })
    }
}

/// Looks again and again, in the lab, whether what the child does is in force.
pub(super) type Look<'a> = Box<dyn FnMut() -> Evidence + 'a>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Task {
    Cpu(cpu::Cpu),
    Memory(memory::Memory),
    Io(input_output::Io),
    Disk(disk::Disk),
    Descriptors(descriptors::Descriptors),
    MemoryLimit(memory_limit::MemoryLimit),
    Netem(Placement),
}

impl Task {
    /// The work for a fault, and what to say of it; or why it cannot be.
    pub(super) fn prepare(fault: &HostFault, target: &Target) -> Result<(Self, String), Refusal> {
        match fault {
            HostFault::Cpu { threads, percent } => cpu::Cpu::prepare(*threads, *percent, target)
                .map(|(work, note)| (Self::Cpu(work), note)),
            HostFault::Memory(amount) => memory::Memory::prepare(*amount, target)
                .map(|(work, note)| (Self::Memory(work), note)),
            HostFault::Io { directory, bytes } => {
                let note = "a file without a name, which ends with its process".to_owned();
                input_output::Io::prepare(directory, *bytes, target)
                    .map(|work| (Self::Io(work), note))
            }
            HostFault::DiskFull { directory, free_bytes, allow_root_file_system } => {
                let note = "a file without a name, which ends with its process".to_owned();
                disk::Disk::prepare(directory, *free_bytes, *allow_root_file_system, target)
                    .map(|work| (Self::Disk(work), note))
            }
            HostFault::Descriptors { limit } => {
                let note = "the soft limit; the hard one stays".to_owned();
                descriptors::Descriptors::prepare(*limit, target)
                    .map(|work| (Self::Descriptors(work), note))
            }
            HostFault::MemoryLimit { bytes } => {
                let note = "for all processes of the control group".to_owned();
                memory_limit::MemoryLimit::prepare(*bytes, target)
                    .map(|work| (Self::MemoryLimit(work), note))
            }
            _ => Err(Refusal::new("this lab does not know such a fault", "use a newer one")),
        }
    }

    pub(super) fn work(&self) -> &dyn Work {
        match self {
            Self::Cpu(work) => work,
            Self::Memory(work) => work,
            Self::Io(work) => work,
            Self::Disk(work) => work,
            Self::Descriptors(work) => work,
            Self::MemoryLimit(work) => work,
            Self::Netem(work) => work,
        }
    }

    pub(super) fn look(&self, pid: u32) -> io::Result<Look<'_>> {
        match self {
            Self::Cpu(work) => work.look(pid),
            Self::Memory(work) => Ok(work.look(pid)),
            Self::Io(work) => work.look(pid),
            Self::Disk(work) => Ok(work.look()),
            Self::Descriptors(work) => Ok(work.look()),
            Self::MemoryLimit(work) => Ok(work.look()),
            Self::Netem(work) => Ok(Box::new(|| work.look())),
        }
    }

    /// `cgroup.procs` of the control group in which the child is to be.
    pub(super) fn join(&self) -> Option<PathBuf> {
        match self {
            Self::Cpu(work) => work.join.clone(),
            Self::Memory(work) => work.join.clone(),
            _ => None,
        }
    }

    /// Name of the limit that is lowered, or of what else outlives its process; nothing for load, which is
    /// gone with it.
    pub(super) fn limit(&self) -> Option<String> {
        match self {
            Self::Descriptors(work) => Some(work.limit()),
            Self::MemoryLimit(work) => Some(work.limit()),
            Self::Netem(work) => Some(work.name()),
            _ => None,
        }
    }
}

/// For faults that are not in one process.
pub(super) fn must_be_host(target: &Target) -> Result<(), Refusal> {
    match target {
        Target::Host => Ok(()),
        _ => Err(Refusal::new("the target is not the host", "the target of this fault is `host`")),
    }
}
