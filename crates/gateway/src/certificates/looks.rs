//! What files look like from outside, so that those which have not changed need not be read: of
//! thousands of certificates a renewal changes one.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use bulkhead_config::model::{self, SecretSource};

/// A file that was changed less than this before it was read, in seconds, may have been changed again
/// within the granularity of its times: it is read the next time too.
const SETTLED_S: i64 = 2;

/// Looks of a certificate's file and its key's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Looks([Look; 2]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    device: u64,
    inode: u64,
    length: u64,
    /// Seconds and nanoseconds of the last change, also of the inode: nobody can set it back.
    changed: (i64, i64),
}

impl Looks {
    /// As they are now; `None`: one is no file, is not there, or has changed only just.
    /// `now`: seconds since 1970.
    pub(super) fn of(source: &model::Certificate, now: u64) -> Option<Self> {
        let SecretSource::File(key) = &source.private_key else { return None };
        let chain = Look::of(&source.certificate_file, now)?;
        // Many have both in one file.
        let key = if *key == source.certificate_file { chain } else { Look::of(key, now)? };
        Some(Self([chain, key]))
    }
}

impl Look {
    fn of(path: &Path, now: u64) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        let settled = changed.0.checked_add(SETTLED_S)? <= i64::try_from(now).ok()?;
        settled.then(|| Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            changed,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::SystemTime;

    use bulkhead_testkit::Scratch;

    use super::*;

    fn source(chain: PathBuf, private_key: SecretSource) -> model::Certificate {
        model::Certificate { certificate_file: chain, private_key, ocsp_file: None }
    }

    /// Well after everything that the test has written.
    fn later() -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        since.as_secs() + 60
    }

    #[test]
    fn a_change_of_either_file_is_seen() {
        let scratch = Scratch::new();
        let (chain, key) = (scratch.write("a.pem", "one"), scratch.write("a.key", "one"));
        let source = source(chain, SecretSource::File(key));
        let look = || Looks::of(&source, later());
        let first = look();
        assert!(first.is_some());
        assert_eq!(look(), first);
        scratch.write("a.key", "two2");
        let second = look();
        assert_ne!(second, first);
        let beside = scratch.write("beside", "one");
        fs::rename(beside, scratch.path().join("a.pem")).unwrap();
        assert_ne!(look(), second, "another file in its place, of the same length");
        fs::remove_file(scratch.path().join("a.key")).unwrap();
        assert_eq!(look(), None);
    }

    #[test]
    fn what_may_be_written_still_is_not_trusted() {
        let scratch = Scratch::new();
        let chain = scratch.write("a.pem", "one");
        let file = source(chain.clone(), SecretSource::File(chain.clone()));
        let changed = fs::metadata(&chain).unwrap().ctime() as u64;
        assert_eq!(Looks::of(&file, changed + 1), None);
        assert!(Looks::of(&file, changed + 2).is_some());
        // A variable has no looks.
        let variable = source(chain, SecretSource::Environment("KEY".to_owned()));
        assert_eq!(Looks::of(&variable, later()), None);
    }
}
