//! Packages of PyPI, in virtual environments.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command::{find_program, run};

/// The Python of the environment in `directory`, which is made if need be, with these packages.
pub(crate) fn environment(directory: &Path, packages: &[&str]) -> Result<PathBuf> {
    let python = directory.join("bin/python");
    if !python.is_file() {
        let system = find_program("python3").context("there is no python3")?;
        run(Command::new(system).args(["-m", "venv"]).arg(directory))?;
    }
    // Not `bin/pip`, whose first line names the directory in which the environment was made. Packages
    // that are there in the right version are not asked for again.
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "-q", "--disable-pip-version-check"]).args(packages);
    run(&mut pip)?;
    Ok(python)
}
