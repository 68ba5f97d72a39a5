//! The file that tells the id of the process, for scripts and service managers.

use std::io;
use std::path::{Path, PathBuf};

/// A written file; taken away when dropped, unless another process has written its own meanwhile.
#[derive(Debug)]
pub(super) struct PidFile(PathBuf);

impl PidFile {
    /// Replaces the file as a whole: nobody reads half a number.
    pub(super) fn write(path: &Path) -> io::Result<Self> {
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        std::fs::write(&new, format!("{}\n", std::process::id()))?;
        std::fs::rename(&new, path)?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if read(&self.0).is_ok_and(|pid| pid == std::process::id()) {
            // Whoever took it away already has saved us the work.
            let _ = std::fs::remove_file(&self.0);
        }
    }
}

/// The id in a file.
pub(crate) fn read(path: &Path) -> io::Result<u32> {
    let text = std::fs::read_to_string(path)?;
    text.trim().parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "no process id"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bulkhead_testkit::Scratch;

    #[test]
    fn the_file_goes_with_its_process_but_not_with_another() {
        let scratch = Scratch::new();
        let path = scratch.path().join("bulkhead.pid");
        let file = PidFile::write(&path).unwrap();
        assert_eq!(read(&path).unwrap(), std::process::id());
        drop(file);
        assert!(!path.exists());
        let file = PidFile::write(&path).unwrap();
        scratch.write("bulkhead.pid", "1\n");
        drop(file);
        assert_eq!(read(&path).unwrap(), 1);
        scratch.write("bulkhead.pid", "one");
        assert!(read(&path).is_err());
    }
}
