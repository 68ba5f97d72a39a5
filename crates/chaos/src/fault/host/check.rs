//! What a declaration must say before it is carried out.

use super::{Amount, HostFault};

const THREADS_MAX: u16 = 1_024;
const MEMORY_BYTES: std::ops::RangeInclusive<u64> = 4 << 10..=1 << 40;
const IO_BYTES: std::ops::RangeInclusive<u64> = 4 << 10..=16 << 30;
const DESCRIPTORS_MAX: u64 = 1 << 20;
const MEMORY_LIMIT_BYTES_MIN: u64 = 1 << 20;

/// Why a declaration means nothing that can be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostFaultError {
    /// A number that is too small or too large.
    #[error("{what} must be {expected}")]
    Range {
        /// The field.
        what: &'static str,
        /// What it may be.
        expected: &'static str,
    },
    /// What a path means must not depend on where the lab was started.
    #[error("the directory `{0}` must be absolute")]
    RelativePath(String),
}

impl HostFault {
    /// Whether it can be carried out anywhere.
    ///
    /// # Errors
    /// [`HostFaultError`].
    pub fn check(&self) -> Result<(), HostFaultError> {
        match self {
            Self::Cpu { threads, percent } => {
                within((1..=THREADS_MAX).contains(threads), "threads", "1 to 1024")?;
                share(*percent)
            }
            Self::Memory(Amount::Percent(percent)) => share(*percent),
            Self::Memory(Amount::Bytes(bytes)) => {
                within(MEMORY_BYTES.contains(bytes), "bytes", "4 KiB to 1 TiB")
            }
            Self::Io { directory, bytes } => {
                absolute(directory)?;
                within(IO_BYTES.contains(bytes), "bytes", "4 KiB to 16 GiB")
            }
            Self::DiskFull { directory, .. } => absolute(directory),
            Self::Descriptors { limit } => {
                within(*limit <= DESCRIPTORS_MAX, "limit", "at most 1,048,576")
            }
            Self::MemoryLimit { bytes } => {
                within(*bytes >= MEMORY_LIMIT_BYTES_MIN, "bytes", "at least 1 MiB")
            }
        }
    }
}

fn share(percent: f64) -> Result<(), HostFaultError> {
    within(percent > 0.0 && percent <= 100.0, "percent", "over 0 and up to 100")
}

const fn within(
    holds: bool,
    what: &'static str,
    expected: &'static str,
) -> Result<(), HostFaultError> {
    if holds { Ok(()) } else { Err(HostFaultError::Range { what, expected }) }
}

fn absolute(directory: &str) -> Result<(), HostFaultError> {
    match directory.starts_with('/') {
        true => Ok(()),
        false => Err(HostFaultError::RelativePath(directory.to_owned())),
    }
}
