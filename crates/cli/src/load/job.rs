//! A command line that runs elsewhere: the files that it names travel with it, and are there again
//! where it is read. An agent never opens a path that a coordinator gave.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use bulkhead_load::Random;
use bulkhead_load::remote::Job;

/// Bytes of all files of a job at most.
const FILES_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Arguments at most.
const ARGUMENTS_MAX: usize = 1_000;
/// Stands in an argument for a file of the job; the file's key follows.
const MARK: &str = "bulkhead-job-file:";

/// How a flag names a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// By its path.
    Path,
    /// By `@` and its path; anything else is no file.
    At,
    /// It is written, is a secret, or says what to do with results: it stays here.
    Kept,
    /// It may lead to further files, which do not travel yet.
    Refused,
}

/// The flags of `load` that name a file.
pub(crate) const FILE_FLAGS: [(&str, Naming); 29] = [
    ("--scenario", Naming::Refused),
    ("--proto", Naming::Refused),
    ("--proto-path", Naming::Refused),
    ("--har", Naming::Path),
    ("--replay", Naming::Path),
    ("--openapi", Naming::Path),
    ("--descriptor-set", Naming::Path),
    ("--expect-json", Naming::At),
    ("--body", Naming::At),
    ("--grpc-body", Naming::At),
    ("--expect-body", Naming::At),
    ("--cacert", Naming::Path),
    ("--cert", Naming::Path),
    ("--key", Naming::Path),
    ("--json", Naming::Kept),
    ("--csv", Naming::Kept),
    ("--html", Naming::Kept),
    ("--junit", Naming::Kept),
    ("--hgrm", Naming::Kept),
    ("--hdr-log", Naming::Kept),
    ("--remote-write", Naming::Kept),
    ("--otlp", Naming::Kept),
    ("--label", Naming::Kept),
    ("--assert", Naming::Kept),
    ("--find-max", Naming::Kept),
    ("--find-max-start", Naming::Kept),
    ("--find-max-time", Naming::Kept),
    ("--agents", Naming::Kept),
    ("--agent-secret-file", Naming::Kept),
];

/// Puts the arguments (those after `load`) and the files that they name together. Flags of
/// [`Naming::Kept`] are left out with their value. `flags` is [`FILE_FLAGS`], and more if there are
/// more.
pub(crate) fn gather(
    arguments: &[String],
    flags: &[(&str, Naming)],
    seed: u64,
) -> anyhow::Result<Job> {
    let mut job = Job { seed, ..Job::default() };
    let mut bytes = 0;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let (name, joined) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        let Some(&(_, naming)) = flags.iter().find(|(flag, _)| *flag == name) else {
            job.arguments.push(argument.clone());
            continue;
        };
        let Some(value) = joined.or_else(|| arguments.next().cloned()) else {
            bail!("{name} needs a value");
        };
        let (prefix, path) = match (naming, value.strip_prefix('@')) {
            (Naming::Kept, _) => continue,
            (Naming::Refused, _) => {
                bail!("{name} may lead to further files, which do not go to agents yet")
            }
            (Naming::Path, _) => ("", Some(value.as_str())),
            (Naming::At, path) => ("@", path),
        };
        let value = match path {
            None => value,
            Some(path) => {
                let contents =
                    std::fs::read(path).with_context(|| format!("read `{path}` for the agents"))?;
                bytes += contents.len();
                ensure!(
                    bytes <= FILES_BYTES_MAX,
                    "the files for the agents have more than {FILES_BYTES_MAX} bytes"
                );
                let key = key(job.files.len(), path);
                job.files.insert(key.clone(), contents);
                format!("{prefix}{MARK}{key}")
            }
        };
        job.arguments.push(format!("{name}={value}"));
    }
    Ok(job)
}

/// The number of a file, and its extension, by which readers tell formats apart.
fn key(number: usize, path: &str) -> String {
    let extension = Path::new(path).extension().and_then(|extension| extension.to_str());
    extension.map_or_else(|| number.to_string(), |extension| format!("{number}.{extension}"))
}

/// A job whose files lie in a directory of their own, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Unpacked {
    /// With paths that can be opened.
    pub(crate) arguments: Vec<String>,
    directory: Option<PathBuf>,
}

impl Unpacked {
    /// Writes the files under `temporary`, readable by this user alone. `flags` as in [`gather`]: what
    /// they name has to be a file of the job, or a coordinator could have any file of this machine sent
    /// to a target.
    pub(crate) fn new(
        job: &Job,
        flags: &[(&str, Naming)],
        temporary: &Path,
        random: &mut Random,
    ) -> anyhow::Result<Self> {
        ensure!(
            job.arguments.len() <= ARGUMENTS_MAX,
            "a job has at most {ARGUMENTS_MAX} arguments"
        );
        job.arguments.iter().try_for_each(|argument| check(argument, flags))?;
        let mut unpacked = Self { arguments: job.arguments.clone(), directory: None };
        let mut paths = BTreeMap::new();
        if !job.files.is_empty() {
            let directory = temporary.join(format!("bulkhead-job-{:016x}", random.next()));
            create(&directory).with_context(|| format!("create `{}`", directory.display()))?;
            unpacked.directory = Some(directory.clone());
            for (number, (key, contents)) in job.files.iter().enumerate() {
                let path = directory.join(safe_name(number, key));
                std::fs::write(&path, contents)
                    .with_context(|| format!("write `{}`", path.display()))?;
                paths.insert(format!("{MARK}{key}"), path);
            }
        }
        for argument in &mut unpacked.arguments {
            let Some(at) = argument.find(MARK) else { continue };
            let Some(path) = paths.get(&argument[at..]) else {
                bail!("the job names a file that it does not have");
            };
            *argument = format!("{}{}", &argument[..at], path.display());
        }
        Ok(unpacked)
    }
}

/// Whether an argument that may name a file names one of the job's.
fn check(argument: &str, flags: &[(&str, Naming)]) -> anyhow::Result<()> {
    let (name, value) = argument.split_once('=').map_or((argument, None), |(n, v)| (n, Some(v)));
    let Some((_, naming)) = flags.iter().find(|(flag, _)| *flag == name) else { return Ok(()) };
    let harmless = value.is_some_and(|value| match (naming, value.strip_prefix('@')) {
        (Naming::Kept | Naming::Refused, _) => false,
        (Naming::At, None) => true,
        (Naming::At, Some(path)) => path.starts_with(MARK),
        (Naming::Path, _) => value.starts_with(MARK),
    });
    ensure!(harmless, "a job may not use {name} with a file of the agent's machine");
    Ok(())
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            // What cannot be removed is left to the system's own cleaning.
            let _left = std::fs::remove_dir_all(directory);
        }
    }
}

/// Of the coordinator's key no more than an extension of letters: it may be hostile.
fn safe_name(number: usize, key: &str) -> String {
    let extension = key.rsplit('.').next().unwrap_or_default();
    let plain = extension.len() <= 16 && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if plain { format!("{number}.{extension}") } else { number.to_string() }
}

/// Fails if it is there already, so that nobody can have prepared it.
fn create(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(directory)
}

#[cfg(test)]
mod tests;
