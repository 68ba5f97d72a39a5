//! What a file or a directory looks like from outside: whether it has changed is seen without reading it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How deep directories are looked at: one as certbot and Kubernetes make it has others in it.
const DEPTH_MAX: usize = 2;

/// Looks of a file, of what a link leads to, or of a directory with what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    modified: SystemTime,
    length: u64,
    /// Another file in the place of the old one may have the same time and length.
    inode: u64,
    /// Of everything in a directory; 0 for a file.
    inside: u64,
}

/// Looks at each file.
pub(crate) fn stamps(files: &[PathBuf]) -> Vec<(PathBuf, Option<Stamp>)> {
    files.iter().map(|path| (path.clone(), stamp(path, DEPTH_MAX))).collect()
}

fn stamp(path: &Path, depth: usize) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    let inside = if metadata.is_dir() && depth > 0 { inside(path, depth - 1) } else { 0 };
    Some(Stamp {
        modified: metadata.modified().ok()?,
        length: metadata.len(),
        inode: metadata.ino(),
        inside,
    })
}

fn inside(directory: &Path, depth: usize) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    // A sum, as the order in which a directory is read means nothing.
    entries.flatten().fold(0, |sum: u64, entry| {
        let path = entry.path();
        let mut hasher = DefaultHasher::new();
        (&path, stamp(&path, depth)).hash(&mut hasher);
        sum.wrapping_add(hasher.finish())
    })
}

#[cfg(test)]
mod tests {
    use bulkhead_testkit::Scratch;

    use super::*;

    #[test]
    fn changes_in_a_directory_are_seen() {
        let scratch = Scratch::new();
        let directory = [scratch.path().to_owned()];
        let mut seen = vec![stamps(&directory)];
        let mut look = |what: &str| {
            let now = stamps(&directory);
            assert!(!seen.contains(&now), "{what}");
            seen.push(now);
        };
        scratch.write("a.pem", "one");
        look("a new file");
        scratch.write("a.pem", "other");
        look("another content");
        let beside = scratch.write("beside", "again");
        look("another file");
        std::fs::rename(beside, scratch.path().join("a.pem")).unwrap();
        look("one in the place of the other");
        scratch.write("b.test/fullchain.pem", "one");
        look("a directory");
        scratch.write("b.test/fullchain.pem", "other");
        look("a change in it");
        assert_eq!(stamps(&directory), stamps(&directory));
    }
}
