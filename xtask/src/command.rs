//! Running other programs, with errors that say which one failed and what it said.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Cargo's target directory, wherever it was put.
pub(crate) fn target_directory() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// A program in PATH, or in the places where daemons are installed.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")])
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

/// Runs it with our output. An exit status other than 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("start {}", shown(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// Runs it and returns its standard output; on failure the error carries what it wrote.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("start {}", shown(command)))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{} ended with {}\n{text}{errors}", shown(command), output.status);
    }
    Ok(text)
}

/// Runs it with its output in `log`, and ends it after `limit`. On failure the error carries the log.
pub(crate) fn run_within(command: &mut Command, limit: Duration, log: &Path) -> Result<()> {
    let (status, text) = ended_within(command, limit, log)?;
    if !status.success() {
        bail!("{} ended with {status}\n{text}", shown(command));
    }
    Ok(())
}

/// Runs it with its output in `log`, which is given as well. What takes longer than `limit` is ended,
/// and an error.
pub(crate) fn ended_within(
    command: &mut Command,
    limit: Duration,
    log: &Path,
) -> Result<(ExitStatus, String)> {
    const POLL: Duration = Duration::from_millis(10);
    let file = fs::File::create(log).context("create the log")?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let mut child = command.spawn().with_context(|| format!("start {}", shown(command)))?;
    let began = Instant::now();
    loop {
        let ended = child.try_wait()?;
        if ended.is_none() && began.elapsed() < limit {
            thread::sleep(POLL);
            continue;
        }
        if ended.is_none() {
            child.kill()?;
            child.wait()?;
        }
        let text = String::from_utf8_lossy(&fs::read(log)?).into_owned();
        match ended {
            Some(status) => return Ok((status, text)),
            None => bail!("{} took more than {} s\n{text}", shown(command), limit.as_secs()),
        }
    }
}

fn shown(command: &Command) -> String {
    let mut text = format!("`{}", command.get_program().to_string_lossy());
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text.push('`');
    text
}
