//! The configuration file: watched, parsed, and put in force as a whole or not at all.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bulkhead_config::Config;

use crate::event::{Event, Listen};
use crate::files::referenced;
use crate::plane::Plane;
use crate::stamp::{Stamp, stamps};
use crate::status::Status;

/// How often the file, and those it refers to, are looked at.
pub const CONFIG_POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Largest configuration file, in bytes.
pub const CONFIG_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A configuration that was parsed and checked.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The configuration.
    pub config: Config,
    /// What is odd in it, readable as it is.
    pub warnings: Vec<String>,
}

/// Text and file name → configuration, or all that is wrong, readable as it is.
pub type Parse = fn(&str, &str) -> Result<Parsed, String>;

/// Where configurations come from.
#[derive(Clone, Debug)]
pub struct ConfigSource {
    /// The file.
    pub path: PathBuf,
    /// How it is read.
    pub parse: Parse,
}

impl ConfigSource {
    /// Reads the file.
    ///
    /// # Errors
    /// If it cannot be read, is larger than [`CONFIG_BYTES_MAX`], or is not UTF-8.
    pub fn read(&self) -> io::Result<String> {
        read_text(&self.path)
    }
}

/// Reads a whole text file of at most [`CONFIG_BYTES_MAX`].
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > CONFIG_BYTES_MAX {
        let reason = format!("it is larger than {CONFIG_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(text)
}

/// What can be seen of the files without applying them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    text: Result<String, String>,
    /// What each file or directory referred to looks like; `None`: it is not there.
    files: Vec<(PathBuf, Option<Stamp>)>,
}

/// What looking at the files led to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// Nothing to do.
    Unchanged,
    /// The files have only just changed: it is handled if the next look finds them the same.
    Unsettled,
    /// This configuration is in force now.
    Applied(Box<Config>),
    /// The old one still is.
    Rejected,
}

/// The store: knows what was handled last.
pub(crate) struct Store {
    source: ConfigSource,
    plane: Arc<dyn Plane>,
    status: Arc<Status>,
    events: Arc<Listen>,
    watched: Vec<PathBuf>,
    /// What the configuration in force, or the last refused one, was read from.
    handled: Seen,
    /// A change that was seen once. It is handled when it is seen again: then nobody is in the
    /// middle of writing it.
    unsettled: Option<Seen>,
    in_force: Config,
    /// What its files looked like when it was applied last.
    files_in_force: Vec<(PathBuf, Option<Stamp>)>,
}

impl Store {
    /// `text` was parsed into `config`, which is in force.
    pub(crate) fn new(
        source: ConfigSource,
        text: String,
        config: Config,
        plane: Arc<dyn Plane>,
        status: Arc<Status>,
        events: Arc<Listen>,
    ) -> Self {
        let watched = referenced(&config);
        let handled = Seen { text: Ok(text), files: stamps(&watched) };
        let files_in_force = handled.files.clone();
        let (unsettled, in_force) = (None, config);
        Self {
            source,
            plane,
            status,
            events,
            watched,
            handled,
            unsettled,
            in_force,
            files_in_force,
        }
    }

    /// Looks at the files and applies what has changed. `forced`: applies them in any case, and
    /// does not wait until they have settled. Blocks.
    pub(crate) fn poll(&mut self, forced: bool) -> Outcome {
        let text = self.source.read().map_err(|error| error.to_string());
        let seen = Seen { text, files: stamps(&self.watched) };
        if !forced {
            if seen == self.handled {
                self.unsettled = None;
                return Outcome::Unchanged;
            }
            if self.unsettled.as_ref() != Some(&seen) {
                self.unsettled = Some(seen);
                return Outcome::Unsettled;
            }
        }
        self.unsettled = None;
        self.handled = seen;
        let parsed = match &self.handled.text {
            Err(reason) => Err(reason.clone()),
            Ok(text) => (self.source.parse)(text, &self.source.path.display().to_string()),
        };
        match parsed {
            Ok(parsed) => self.apply(parsed),
            Err(reason) => {
                self.plane.config_rejected();
                self.renew();
                self.reject(reason)
            }
        }
    }

    /// Applies the configuration in force again if files that it refers to have changed: a text that is
    /// wrong must not keep a certificate from being renewed.
    fn renew(&mut self) {
        let files = stamps(&referenced(&self.in_force));
        if files == self.files_in_force {
            return;
        }
        self.files_in_force = files;
        // Refused: what was read from the files before stays in force, and is tried with the next change.
        if let Ok(revision) = self.plane.apply(self.in_force.clone()) {
            self.status.applied(revision, &self.in_force, Vec::new());
            (self.events)(Event::FilesRenewed { revision });
        }
    }

    fn apply(&mut self, parsed: Parsed) -> Outcome {
        // Its files too if it is refused: one that is missing may be all that is wrong.
        self.watched = referenced(&parsed.config);
        self.watched.extend(referenced(&self.in_force));
        self.watched.sort();
        self.watched.dedup();
        self.handled.files = stamps(&self.watched);
        match self.plane.apply(parsed.config.clone()) {
            Ok(revision) => {
                self.status.applied(revision, &parsed.config, parsed.warnings.clone());
                let path = self.source.path.clone();
                (self.events)(Event::ConfigApplied { revision, path, warnings: parsed.warnings });
                self.tell_what_needs_restart(&parsed.config);
                self.in_force = parsed.config;
                self.watched = referenced(&self.in_force);
                self.handled.files.retain(|(path, _)| self.watched.contains(path));
                self.files_in_force = self.handled.files.clone();
                Outcome::Applied(Box::new(self.in_force.clone()))
            }
            Err(reasons) => {
                self.renew();
                self.reject(reasons.join("\n"))
            }
        }
    }

    fn tell_what_needs_restart(&self, config: &Config) {
        let old = &self.in_force;
        for (key, changed) in [
            ("admin", config.admin != old.admin),
            ("worker_affinity", config.worker_affinity != old.worker_affinity),
            ("numa", config.numa != old.numa),
            ("access_log", config.access_log != old.access_log),
        ] {
            if changed {
                (self.events)(Event::NeedsRestart { key });
            }
        }
    }

    fn reject(&self, reason: String) -> Outcome {
        self.status.rejected(reason.clone());
        (self.events)(Event::ConfigRejected { path: self.source.path.clone(), reason });
        Outcome::Rejected
    }
}

#[cfg(test)]
mod tests;
