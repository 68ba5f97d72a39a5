//! What was asked for on the command line.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

/// Options of `cargo xtask bench peers`.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    /// Keep the results out of the repository.
    pub(crate) quick: bool,
    /// Install what is missing.
    pub(crate) install: bool,
    /// Rounds of each scenario.
    pub(crate) rounds: u32,
    /// Length of a measurement.
    pub(crate) seconds: u32,
    /// Another build of Bulkhead, measured beside this one.
    pub(crate) before: Option<PathBuf>,
    only: Vec<String>,
    scenarios: Vec<String>,
}

impl Options {
    /// Reads the arguments.
    pub(crate) fn parse(arguments: &[&str]) -> Result<Self> {
        let mut options = Self {
            quick: false,
            install: false,
            rounds: 3,
            seconds: 3,
            before: None,
            only: Vec::new(),
            scenarios: Vec::new(),
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().with_context(|| format!("{argument} needs a value"));
            match *argument {
                "--quick" => {
                    options.quick = true;
                    options.rounds = 1;
                    options.seconds = 1;
                }
                "--install" => options.install = true,
                "--rounds" => options.rounds = value()?.parse().context("read --rounds")?,
                "--seconds" => options.seconds = value()?.parse().context("read --seconds")?,
                "--before" => options.before = Some(PathBuf::from(value()?)),
                "--only" => options.only = names(value()?),
                "--scenario" => options.scenarios = names(value()?),
                other => bail!("unknown option `{other}`"),
            }
        }
        if options.rounds == 0 || options.seconds == 0 {
            bail!("--rounds and --seconds are at least 1");
        }
        Ok(options)
    }

    /// Is this peer to be measured?
    pub(crate) fn wants_peer(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == name)
    }

    /// Is this scenario to be run?
    pub(crate) fn wants_scenario(&self, name: &str) -> bool {
        self.scenarios.is_empty() || self.scenarios.iter().any(|wanted| wanted == name)
    }

    /// Is nothing left out? Only then the results go into the repository's record of the day.
    pub(crate) fn is_whole(&self) -> bool {
        !self.quick && self.only.is_empty() && self.scenarios.is_empty()
    }
}

fn names(list: &str) -> Vec<String> {
    list.split(',').map(|name| name.trim().to_owned()).collect()
}
