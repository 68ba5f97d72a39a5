//! The Go toolchain, for programs of others that only its module proxy has.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::command::{find_program, output, run, target_directory};

/// The machine's toolchain, or the one that an earlier `bench … --install` got from PyPI.
pub(crate) fn find() -> Option<PathBuf> {
    let others = ["/usr/local/go/bin/go".into(), target_directory().join("bench/venv/bin/go")];
    find_program("go").or_else(|| others.into_iter().find(|go| go.is_file()))
}

/// Builds programs, given as `PACKAGE@VERSION`, into `directory`.
pub(crate) fn install(go: &Path, directory: &Path, packages: &[&str]) -> Result<()> {
    run(Command::new(go).env("GOBIN", directory).arg("install").args(packages))
}

/// Builds programs, given as `PACKAGE@VERSION`, into `directory`, unless they are there. False, with a
/// line that says why: they cannot be built.
pub(crate) fn has(directory: &Path, packages: &[&str]) -> bool {
    let is_there = |package: &&str| {
        let path = package.split('@').next().unwrap_or_default();
        path.rsplit('/').next().is_some_and(|name| directory.join(name).is_file())
    };
    if packages.iter().all(is_there) {
        return true;
    }
    let Some(go) = find() else { return false };
    install(&go, directory, packages).inspect_err(|error| println!("{error:#}")).is_ok()
}

/// Version of the toolchain that built this program.
pub(crate) fn toolchain_version(program: &Path) -> Option<String> {
    Some(told(&["version"], program)?.rsplit(' ').next()?.trim().to_owned())
}

/// Version of the module that this program is.
pub(crate) fn module_version(program: &Path) -> Option<String> {
    let text = told(&["version", "-m"], program)?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("mod\t"))?;
    line.split('\t').nth(1).map(str::to_owned)
}

fn told(arguments: &[&str], program: &Path) -> Option<String> {
    output(Command::new(find()?).args(arguments).arg(program)).ok()
}
