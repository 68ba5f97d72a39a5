//! A profile: everything that makes a storm, but its seed. The built-in ones are files like anybody's.

mod build;
mod format;

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use bulkhead_chaos::Fault;
use bulkhead_config::Diagnostics;
use bulkhead_config::document::{nearest, quote_name};

use super::weather::Weather;

/// The profiles that are always there: name and file.
const BUILT_IN: [(&str, &str); 5] = [
    ("quick", include_str!("profiles/quick.yaml")),
    ("standard", include_str!("profiles/standard.yaml")),
    ("article", include_str!("profiles/article.yaml")),
    ("soak", include_str!("profiles/soak.yaml")),
    ("ddos", include_str!("profiles/ddos.yaml")),
];
/// Largest file of a profile.
const FILE_BYTES_MAX: usize = 1 << 20;
/// What an empty file is told.
const NEEDED: &str = "a profile has at least `duration`, and `kills`, `link` or `faults`";

/// A storm, as declared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Profile {
    /// What it is for; may be empty.
    pub(crate) description: String,
    pub(crate) duration: Duration,
    pub(crate) workers: u16,
    pub(crate) traffic: Traffic,
    /// `None`: no worker is killed.
    pub(crate) kills: Option<KillRounds>,
    /// `None`: all over loopback.
    pub(crate) link: Option<Weather>,
    /// In the order of the file.
    pub(crate) faults: Vec<TimedFault>,
    pub(crate) limits: Limits,
}

/// What clients do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Traffic {
    /// Requests per second; `None`: to be found.
    pub(crate) rate: Option<f64>,
    /// Share of the requests that are JSON over HTTP/2, 0 to 1; the rest is gRPC over HTTP/2.
    pub(crate) http2_share: f64,
    pub(crate) connections: u16,
    /// Mean; `None`: as suits the link.
    pub(crate) connection_life: Option<Duration>,
    /// `None`: as suits the link.
    pub(crate) timeout: Option<Duration>,
    pub(crate) jwt: bool,
    /// Callers without tokens ask as often as the others do.
    pub(crate) flood: bool,
}

/// When how many workers are killed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct KillRounds {
    pub(crate) every: Duration,
    /// Share of the workers killed in each round, over 0 and under 1.
    pub(crate) share: f64,
}

impl KillRounds {
    /// Share of the workers where nothing says otherwise.
    const SHARE: f64 = 0.15;

    /// Rounds of the usual share.
    pub(crate) const fn every(every: Duration) -> Self {
        Self { every, share: Self::SHARE }
    }
}

/// A fault that the gateway carries out, of the families `gateway` and `http`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TimedFault {
    /// From the start of the measured part.
    pub(crate) at: Duration,
    pub(crate) lasts: Duration,
    pub(crate) fault: Fault,
}

impl TimedFault {
    /// When it is over.
    pub(crate) fn ends(&self) -> Duration {
        match &self.fault {
            Fault::Gateway(fault) if fault.is_momentary() => self.at,
            _ => self.at + self.lasts,
        }
    }
}

/// What the storm may cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    /// Resident memory of the whole process (gateway, generator, upstreams) may grow by this much.
    pub(crate) rss_growth_bytes: i64,
    /// Requests without their right answer, in percent.
    pub(crate) failed_percent: f64,
    pub(crate) connections_lost: u64,
    /// `None`: any.
    pub(crate) p99: Option<Duration>,
}

impl Profile {
    /// The faults by their beginnings; those of the same moment as they stand in the file.
    pub(crate) fn faults_in_order(&self) -> Vec<&TimedFault> {
        let mut faults: Vec<_> = self.faults.iter().collect();
        faults.sort_by_key(|timed| timed.at);
        faults
    }

    /// Parses a profile. `file` is its name in diagnostics.
    ///
    /// # Errors
    /// Everything found wrong, in the order of the file, up to 100.
    fn parse(text: &str, file: &str) -> Result<Self, Diagnostics> {
        let read =
            bulkhead_config::document::read(text, file, &format::PROFILE, NEEDED, build::build);
        read.map(|(profile, _)| profile)
    }
}

/// Where a profile is, as the command line names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Its place among the built-in ones.
    BuiltIn(usize),
    File(PathBuf),
}

impl Source {
    /// The default of `--profile`.
    pub(crate) const DEFAULT: &str = BUILT_IN[0].0;

    /// A built-in name, or the name of a file that is there.
    pub(crate) fn find(text: &str) -> Result<Self, String> {
        if let Ok(place) = Self::built_in(text) {
            return Ok(place);
        }
        let path = PathBuf::from(text);
        if path.exists() && !path.is_dir() {
            return Ok(Self::File(path));
        }
        let names = Self::names();
        let near = nearest(text, names.iter().copied())
            .map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
        Err(format!(
            "there is neither a profile nor a file of that name{near} (profiles: {})",
            names.join(", ")
        ))
    }

    /// A built-in name.
    pub(crate) fn built_in(text: &str) -> Result<Self, String> {
        let place = BUILT_IN.iter().position(|(name, _)| *name == text);
        place.map(Self::BuiltIn).ok_or_else(|| {
            format!(
                "no built-in profile is called {} (there are: {})",
                quote_name(text),
                Self::names().join(", ")
            )
        })
    }

    fn names() -> [&'static str; 5] {
        BUILT_IN.map(|(name, _)| name)
    }

    /// The text of its file.
    pub(crate) fn text(&self) -> anyhow::Result<String> {
        let path = match self {
            Self::BuiltIn(place) => {
                return Ok(BUILT_IN
                    .get(*place)
                    .map(|(_, text)| (*text).to_owned())
                    .unwrap_or_default());
            }
            Self::File(path) => path,
        };
        let mut text = String::new();
        let read = File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text));
        read.with_context(|| format!("read the profile {}", path.display()))?;
        ensure!(
            text.len() <= FILE_BYTES_MAX,
            "the profile {} has more than {FILE_BYTES_MAX} bytes",
            path.display()
        );
        Ok(text)
    }

    /// The profile itself.
    pub(crate) fn read(&self) -> anyhow::Result<Profile> {
        Ok(Profile::parse(&self.text()?, &self.to_string())?)
    }
}

/// As it stands on the command line.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(place) => f.write_str(Self::names().get(*place).copied().unwrap_or("")),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
