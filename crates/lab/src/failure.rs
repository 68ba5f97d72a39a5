//! What may be wrong with a lab, or with what is asked of it.

use std::io;
use std::path::PathBuf;

use bulkhead_chaos::{
    DamagedJournal, Forbidden, OptionsError, PolicyError, Rejection, RequestError,
};

/// Why a lab could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// Its directory.
    #[error("use `{path}` for the lab's state")]
    Directory {
        /// Which.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// Another lab has it.
    #[error(
        "a lab is running with `{path}`; ask it through its socket, or choose another directory"
    )]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// Its journal could not be read or written.
    #[error("use the journal `{path}`")]
    Journal {
        /// Which.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// Its journal is damaged.
    #[error(transparent)]
    Damaged(#[from] DamagedJournal),
    /// Its audit log could not be opened.
    #[error("go on with the audit log `{path}`")]
    Audit {
        /// Which.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// Its options.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// Its rules.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A thread could not be started.
    #[error("start a thread")]
    Thread(#[source] io::Error),
    /// The lever's file could not be changed.
    #[error("change the lever `{path}`")]
    Lever {
        /// Which.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

/// Why a request was turned away. Nothing was remembered but a line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// It means nothing.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The rules.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The engine.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The disk.
    #[error("the disk does not keep up with the journal; try again later")]
    Disk,
    /// The lab ends.
    #[error("the lab is ending")]
    Ending,
    /// There is no such injection.
    #[error("no such injection is remembered")]
    Unknown,
    /// This lab was made without links.
    #[error("this lab holds no links")]
    NoLinks,
    /// The process that it names is not to be found, or not alone.
    #[error("{0}")]
    Target(String),
    /// A metric of its abort conditions is not there.
    #[error("an abort condition sees nothing: {0}")]
    Blind(String),
    /// It may not be so long.
    #[error("an approval holds for at most 60m")]
    ApprovalTime,
}
