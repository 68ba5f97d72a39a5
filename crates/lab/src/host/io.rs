//! `host.io`: a file without a name that is written and synchronised. Seen by what the kernel counts of
//! its process.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::thread;

use bulkhead_chaos::Target;
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};

use super::disk::{nameless, prepare_directory};
use super::task::{Kept, Look, Work, must_be_host};
use crate::{Evidence, Refusal};

/// Bytes between two synchronisations.
const CHUNK_BYTES: u64 = 1 << 20;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Io {
    directory: String,
    bytes: u64,
}

impl Io {
    pub(super) fn prepare(directory: &str, bytes: u64, target: &Target) -> Result<Self, Refusal> {
        must_be_host(target)?;
        prepare_directory(directory)?;
        Ok(Self { directory: directory.to_owned(), bytes })
    }

    pub(super) fn look(&self, pid: u32) -> io::Result<Look<'_>> {
        let before = written(pid)?;
        Ok(Box::new(move || {
            let grown = written(pid).unwrap_or_default().saturating_sub(before);
            Evidence { holds: grown > 0, seen: format!("process {pid} wrote {grown} bytes") }
        }))
    }
}

/// Bytes that a process has passed to the kernel; proc_pid_io(5).
fn written(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/io"))?;
    let number = text.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok());
    number.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

impl Work for Io {
    fn begin(&self) -> io::Result<Kept> {
        let file = nameless(&self.directory)?;
        let bytes = self.bytes;
        thread::Builder::new().name("stress-io".to_owned()).spawn(move || {
            write_and_synchronise(&file, bytes);
            // There is no load any more: so the lab sees that this process has ended.
            let _ = kill_process(getpid(), Signal::TERM);
        })?;
        Ok(Kept::Nothing)
    }
}

/// Until it fails.
fn write_and_synchronise(file: &File, bytes: u64) {
    let chunk = vec![0xa5; usize::try_from(bytes.min(CHUNK_BYTES)).unwrap_or_default()];
    let mut place = 0;
    loop {
        let size = (bytes - place).min(CHUNK_BYTES);
        let part = &chunk[..usize::try_from(size).unwrap_or_default()];
        if file.write_all_at(part, place).and_then(|()| file.sync_all()).is_err() {
            return;
        }
        place = (place + size) % bytes;
    }
}
