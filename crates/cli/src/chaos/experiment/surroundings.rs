//! The environment of an experiment: variables, and programs that may be run.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bulkhead_experiment::Environment;

/// The variables of this process, and before them those of files that were named.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    given: HashMap<String, String>,
}

impl Surroundings {
    pub(super) fn new(given: &[(String, String)]) -> Self {
        Self { given: given.iter().cloned().collect() }
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.given.get(name).cloned().or_else(|| env::var(name).ok())
    }

    /// Variables that processes have beside those of this one.
    pub(super) fn given(&self) -> impl Iterator<Item = (&String, &String)> {
        self.given.iter()
    }

    /// The program of this name or path, found as a shell finds it. `~` is the home directory.
    pub(super) fn program(&self, path: &str) -> Option<PathBuf> {
        let expanded = match path.strip_prefix("~/") {
            Some(rest) => Path::new(&self.get("HOME")?).join(rest),
            None => PathBuf::from(path),
        };
        if path.contains('/') {
            return is_program(&expanded).then_some(expanded);
        }
        let directories = self.get("PATH").unwrap_or_default();
        let found = env::split_paths(&directories).map(|directory| directory.join(&expanded));
        found.into_iter().find(|candidate| is_program(candidate))
    }
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

impl Environment for Surroundings {
    fn variable(&self, name: &str) -> Option<String> {
        self.get(name)
    }

    fn is_executable(&self, path: &str) -> bool {
        self.program(path).is_some()
    }
}
