//! Files that a run is made from.

use std::path::Path;

use anyhow::{Context, ensure};

/// Largest file that is read; what each kind may have is the parser's to say.
const FILE_BYTES_MAX: u64 = (1 << 30) + 1;

/// Reads a file.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let size = std::fs::metadata(path).with_context(|| format!("read `{}`", path.display()))?.len();
    ensure!(size <= FILE_BYTES_MAX, "`{}` is larger than 1 GiB; cut it into parts", path.display());
    std::fs::read(path).with_context(|| format!("read `{}`", path.display()))
}

/// Reads a file of text.
pub(super) fn read_text(path: &Path) -> anyhow::Result<String> {
    String::from_utf8(read(path)?).with_context(|| format!("`{}` is not UTF-8", path.display()))
}

/// Reads a file whose name is relative to a folder. The error is for a diagnostic that says the name.
pub(super) fn read_beside(folder: &Path, name: &str) -> Result<Vec<u8>, String> {
    let path = folder.join(name);
    let size = std::fs::metadata(&path).map_err(|cause| reason(&cause))?.len();
    if size > FILE_BYTES_MAX {
        return Err("larger than 1 GiB".to_owned());
    }
    std::fs::read(&path).map_err(|cause| reason(&cause))
}

fn reason(cause: &std::io::Error) -> String {
    match cause.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        _ => cause.to_string(),
    }
}
