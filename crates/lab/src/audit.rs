//! The audit log on disk. It only ever grows; who wants less of it moves it away while no lab runs.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use bulkhead_chaos::{AuditEntry, AuditHead};
use serde_json::Value;

use crate::directory::private_file;

/// Longest line, in bytes; so far back the last one is looked for.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// An open audit log.
#[derive(Debug)]
pub(crate) struct AuditLog {
    file: File,
    head: AuditHead,
}

impl AuditLog {
    /// Goes on after the last whole line. Half a line, which a lab that died may have left, is cut off:
    /// nobody was told of it. Whether the whole chain holds is asked by [`AuditHead::verify`].
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = private_file().open(path)?;
        let length = file.metadata()?.len();
        let begin = length.saturating_sub(LINE_BYTES_MAX);
        file.seek(SeekFrom::Start(begin))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole < tail.len() {
            file.set_len(begin + whole as u64)?;
        }
        let head = match tail[..whole].trim_ascii_end().rsplit(|byte| *byte == b'\n').next() {
            None | Some([]) => AuditHead::default(),
            Some(line) => {
                let entry: AuditEntry = serde_json::from_slice(line)
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                AuditHead { entries: entry.sequence, hash: entry.hash }
            }
        };
        Ok(Self { file, head })
    }

    pub(crate) fn append(
        &mut self,
        unix_ms: u64,
        actor: &str,
        action: &str,
        detail: Value,
    ) -> io::Result<()> {
        let before = self.head.clone();
        let line = self.head.append(unix_ms, actor, action, detail)?;
        let end = self.file.metadata()?.len();
        let written = self.file.write_all(line.as_bytes());
        if written.is_err() {
            // The chain goes on from what is there.
            self.head = before;
            self.file.set_len(end)?;
        }
        written
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    pub(crate) const fn head(&self) -> &AuditHead {
        &self.head
    }
}

#[cfg(test)]
mod tests;
