//! What was asked for on the command line.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};

/// Options of `cargo xtask soak`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Options {
    /// How long there is load.
    pub(super) duration: Duration,
    /// Everything random is drawn from it.
    pub(super) seed: u64,
    /// Requests per second of the open loop.
    pub(super) rate: f64,
    /// This `bulkhead` in place of one that is built for release.
    pub(super) binary: Option<PathBuf>,
    /// Where the result goes as JSON.
    pub(super) json: Option<PathBuf>,
}

impl Options {
    /// Reads the arguments.
    pub(super) fn parse(arguments: &[&str]) -> Result<Self> {
        let mut options = Self {
            duration: Duration::from_secs(60),
            seed: seed_from_clock(),
            rate: 300.0,
            binary: None,
            json: None,
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let value = rest.next().with_context(|| format!("{argument} needs a value"))?;
            let number = || value.parse::<u64>().with_context(|| format!("{argument} `{value}`"));
            match *argument {
                "--minutes" => options.duration = Duration::from_secs(number()?.saturating_mul(60)),
                "--seconds" => options.duration = Duration::from_secs(number()?),
                "--seed" => options.seed = number()?,
                "--rate" => options.rate = number()? as f64,
                "--binary" => options.binary = Some(PathBuf::from(value)),
                "--json" => options.json = Some(PathBuf::from(value)),
                other => bail!("unknown option `{other}` of soak"),
            }
        }
        let seconds = options.duration.as_secs();
        ensure!((10..=86_400).contains(&seconds), "a soak takes 10 s to 24 h, not {seconds} s");
        ensure!((1.0..=100_000.0).contains(&options.rate), "--rate is from 1 to 100000");
        Ok(options)
    }
}

fn seed_from_clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    // Short enough to be typed; a clock before 1970 gives 0, which is as good as any.
    now.map_or(0, |now| now.as_secs() % 1_000_000_000)
}
