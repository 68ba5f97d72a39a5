//! Faults in the resources of a host, or of the part of it that a process has.

mod check;

use serde::{Deserialize, Serialize};

pub use check::HostFaultError;

/// What is made scarce.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum HostFault {
    /// Threads that compute, one after the other pinned to the processors. With a process as target they
    /// run in its control group.
    Cpu {
        /// How many, 1 to 1024.
        threads: u16,
        /// Share of the time that each of them computes, over 0 and up to 100.
        #[serde(default = "all")]
        percent: f64,
    },
    /// Memory that is allocated and touched, by a process that the kernel kills first when none is left.
    /// With a process as target it counts in its control group.
    Memory(Amount),
    /// A file that is written and synchronised (`fsync`) again and again. It has no name, so that nothing
    /// can be left of it.
    Io {
        /// Where; the file system is the one that is struck. Absolute.
        directory: String,
        /// Size of the file, 4 KiB to 16 GiB.
        bytes: u64,
    },
    /// A file system with no room. The file that takes it has no name, so that nothing can be left of it.
    DiskFull {
        /// Any directory of the file system. Absolute.
        directory: String,
        /// So much is left to those who are not root.
        #[serde(default)]
        free_bytes: u64,
        /// Without it the file system at `/` is refused: much more than what is tested lives on it.
        #[serde(default)]
        allow_root_file_system: bool,
    },
    /// A process that may have no more open files than this (`RLIMIT_NOFILE`, the soft limit). What is
    /// open stays open.
    Descriptors {
        /// 0 to 1,048,576, below the present limit.
        limit: u64,
    },
    /// The control group of a process may have no more memory than this: what it needs beyond, the
    /// kernel takes by killing.
    MemoryLimit {
        /// At least 1 MiB, below the present limit.
        bytes: u64,
    },
}

const fn all() -> f64 {
    100.0
}

/// How much memory.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// 4 KiB to 1 TiB.
    Bytes(u64),
    /// Over 0 and up to 100, of the limit of the control group that it counts in, or where there is none
    /// of the memory of the host.
    Percent(f64),
}

impl HostFault {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Cpu { .. } => "host.cpu",
            Self::Memory(_) => "host.memory",
            Self::Io { .. } => "host.io",
            Self::DiskFull { .. } => "host.disk_full",
            Self::Descriptors { .. } => "host.descriptors",
            Self::MemoryLimit { .. } => "host.memory_limit",
        }
    }
}

#[cfg(test)]
mod tests;
