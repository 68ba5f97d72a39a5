//! `host.disk_full`: a file without a name that takes the room of a file system. Seen by what the file
//! system says is left.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;

use bulkhead_chaos::Target;
use rustix::fs::{FallocateFlags, Mode, OFlags, StatVfs, fallocate, open, statvfs};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::task::{Kept, Look, Work, must_be_host};
use crate::{Evidence, Refusal};

/// What may be left over what was asked for: file systems keep books of their own.
const TOLERANCE_BYTES: u64 = 1 << 20;
/// Smallest room that is still tried to be taken.
const STEP_BYTES_MIN: u64 = 4 << 10;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Disk {
    directory: String,
    free_bytes: u64,
}

impl Disk {
    pub(super) fn prepare(
        directory: &str,
        free_bytes: u64,
        allow_root: bool,
        target: &Target,
    ) -> Result<Self, Refusal> {
        must_be_host(target)?;
        let device = |path: &str| fs::metadata(path).map(|metadata| metadata.dev());
        let cannot = |error: io::Error| Refusal::new(error.to_string(), "choose another directory");
        if !allow_root && device(directory).map_err(cannot)? == device("/").map_err(cannot)? {
            return Err(Refusal::new(
                format!("`{directory}` is on the file system at `/`"),
                "choose a file system of its own, or say `allow_root_file_system: true`",
            ));
        }
        prepare_directory(directory)?;
        let left = available(directory).map_err(cannot)?;
        if left <= free_bytes + TOLERANCE_BYTES {
            return Err(Refusal::new(
                format!("no more than {left} bytes are left there already"),
                "ask for less to be left, or make room",
            ));
        }
        Ok(Self { directory: directory.to_owned(), free_bytes })
    }

    pub(super) fn look(&self) -> Look<'_> {
        Box::new(|| match available(&self.directory) {
            Ok(left) => Evidence {
                holds: left <= self.free_bytes + TOLERANCE_BYTES,
                seen: format!("{left} bytes are left in {}", self.directory),
            },
            Err(error) => Evidence { holds: false, seen: error.to_string() },
        })
    }
}

/// Whether files without a name can be made there. The one that is made to know is gone at once.
pub(super) fn prepare_directory(directory: &str) -> Result<(), Refusal> {
    nameless(directory).map(drop).map_err(|error| {
        Refusal::new(
            format!("no file without a name (O_TMPFILE) can be made in `{directory}`: {error}"),
            "choose a directory that the lab may write, on a file system such as ext4, xfs or tmpfs",
        )
    })
}

/// A file that is gone when nobody has it open any more, whatever happens.
pub(super) fn nameless(directory: &str) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    Ok(File::from(open(directory, flags, Mode::RUSR | Mode::WUSR)?))
}

/// Bytes that are left to those who are not root.
fn available(directory: &str) -> io::Result<u64> {
    let StatVfs { f_bavail, f_frsize, .. } = statvfs(directory)?;
    Ok(f_bavail * f_frsize)
}

impl Work for Disk {
    fn begin(&self) -> io::Result<Kept> {
        let file = nameless(&self.directory)?;
        let mut taken = 0;
        let mut step = u64::MAX;
        while step >= STEP_BYTES_MIN {
            let excess = available(&self.directory)?.saturating_sub(self.free_bytes);
            step = step.min(excess);
            if step < STEP_BYTES_MIN {
                break;
            }
            match fallocate(&file, FallocateFlags::empty(), taken, step) {
                Ok(()) => taken += step,
                // Not all that is free can be had by one file.
                Err(Errno::NOSPC) => step /= 2,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Kept::File(file))
    }
}
