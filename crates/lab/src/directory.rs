//! Where a lab keeps what must outlive it: journal, audit log, lever, lock, socket. One lab at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use bulkhead_chaos::{DamagedJournal, Recovered};

use crate::LabError;

/// How long another lab may keep the lock. One that was killed while it started a child keeps it until
/// the child has become another program.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// Between two tries.
const LOCK_INTERVAL: Duration = Duration::from_millis(5);

/// A directory that this process alone uses as long as this value lives; also the kernel lets go of
/// it when the process dies.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Makes it if it is not there, for its owner alone.
    pub(crate) fn open(path: &Path) -> Result<Self, LabError> {
        let failed = |source: io::Error| LabError::Directory { path: path.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let lock = private_file().open(path.join("lock")).map_err(failed)?;
        let until = Instant::now() + LOCK_PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { path: path.to_owned(), _lock: lock }),
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    thread::sleep(LOCK_INTERVAL);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(LabError::InUse { path: path.to_owned() });
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }

    pub(crate) fn journal(&self) -> PathBuf {
        journal_path(&self.path)
    }

    pub(crate) fn audit(&self) -> PathBuf {
        audit_path(&self.path)
    }

    /// The lever is engaged while this file is there, so that it holds over restarts and anybody with
    /// a shell can pull it.
    pub(crate) fn lever(&self) -> PathBuf {
        lever_path(&self.path)
    }
}

/// Why the journal of a lab that does not run could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It could not be read.
    #[error("read the journal `{path}`")]
    Read {
        /// Which.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// It is damaged.
    #[error(transparent)]
    Damaged(#[from] DamagedJournal),
}

/// What the journal in `directory` knows, without touching it. Nothing is known where there is none.
///
/// # Errors
/// [`RecordError`].
pub fn recorded(directory: &Path) -> Result<Recovered, RecordError> {
    let path = journal_path(directory);
    match fs::read(&path) {
        Ok(bytes) => Ok(Recovered::read(&bytes)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Recovered::default()),
        Err(source) => Err(RecordError::Read { path, source }),
    }
}

fn journal_path(directory: &Path) -> PathBuf {
    directory.join("journal")
}

/// The audit log of a lab that keeps its state in `directory`.
pub fn audit_path(directory: &Path) -> PathBuf {
    directory.join("audit.log")
}

/// The file that is there while the safety lever is engaged.
pub fn lever_path(directory: &Path) -> PathBuf {
    directory.join("lever")
}

/// The socket of a lab that keeps its state in `directory`.
pub fn socket_path(directory: &Path) -> PathBuf {
    directory.join("lab.sock")
}

/// To append to, read by its owner alone.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    options
}
