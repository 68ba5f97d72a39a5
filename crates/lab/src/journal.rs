//! The journal on disk: appended to and synchronised before the act, read back at the start.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bulkhead_chaos::{Record, Recovered};

use crate::LabError;
use crate::directory::private_file;

/// A journal larger than this is rewritten while the lab runs, without what may be forgotten. Bytes.
pub(crate) const JOURNAL_BYTES_MAX: u64 = 64 << 20;

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// What is there may end in half a line, after a write that failed.
    torn: bool,
}

impl Journal {
    /// Reads what is there and rewrites it without a torn end and without all but the `ended_max`
    /// latest that have ended.
    pub(crate) fn open(path: &Path, ended_max: usize) -> Result<(Self, Recovered), LabError> {
        let failed = |source: io::Error| LabError::Journal { path: path.to_owned(), source };
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        let recovered = Recovered::read(&bytes)?;
        let journal = Self::rewrite(path, &recovered.compacted(ended_max)).map_err(failed)?;
        Ok((journal, recovered))
    }

    /// Writes a new journal beside the old one and puts it in its place at once.
    fn rewrite(path: &Path, records: &[Record]) -> io::Result<Self> {
        let beside = path.with_extension("new");
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = private_file().open(&beside)?;
        let mut text = String::new();
        for record in records {
            text.push_str(&record.to_line()?);
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        if let Some(directory) = path.parent() {
            File::open(directory)?.sync_all()?;
        }
        Ok(Self { path: path.to_owned(), file, bytes: text.len() as u64, torn: false })
    }

    /// Appends lines and, if asked, waits until they are on disk.
    pub(crate) fn append(&mut self, lines: &str, durable: bool) -> io::Result<()> {
        if self.torn {
            // What a failed write left behind is cut off, so that the next line begins as one.
            self.file.set_len(self.bytes)?;
            self.torn = false;
        }
        self.torn = true;
        self.file.write_all(lines.as_bytes())?;
        if durable {
            self.file.sync_data()?;
        }
        self.torn = false;
        self.bytes += lines.len() as u64;
        Ok(())
    }

    /// Rewrites it if it has grown too large.
    pub(crate) fn keep_small(&mut self, ended_max: usize) -> Result<(), LabError> {
        if self.bytes < JOURNAL_BYTES_MAX {
            return Ok(());
        }
        let failed = |source: io::Error| LabError::Journal { path: self.path.clone(), source };
        let known = Recovered::read(&fs::read(&self.path).map_err(failed)?)?;
        *self = Self::rewrite(&self.path, &known.compacted(ended_max)).map_err(failed)?;
        Ok(())
    }
}
