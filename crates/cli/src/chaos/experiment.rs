//! `bulkhead chaos run`, `check` and `schema`: experiments in Chaos Toolkit's format.

mod check;
mod drive;
mod http;
mod lab;
mod process;
mod summary;
mod surroundings;

pub(super) use check::{CheckArgs, SchemaArgs, check, schema};

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use bulkhead_experiment::{
    Dry, Experiment, Given, Host, HypothesisStrategy, Options, RollbackStrategy, Runner, Syntax,
    parse,
};

use crate::load::positive_duration;
use lab::Lab;
use surroundings::Surroundings;

/// Run an experiment in Chaos Toolkit's format
///
/// The file is checked as a whole before anything is called. Roll-backs are played whatever happens,
/// unless the file or a flag says otherwise; faults of the lab are always taken back. The journal is
/// that of Chaos Toolkit, with the verdict under `bulkhead`.
///
/// Exit status: 0 the hypothesis held, 1 it did not, 2 a fault did not take hold, 3 something may be
/// left behind, 4 the run itself failed, showed nothing or could not reach the lab; 2 also if the file cannot be used.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bulkhead chaos run experiment.yaml
  bulkhead chaos run experiment.json --var host=127.0.0.1 --var port:int=8080
  bulkhead chaos run experiment.yaml --hypothesis-strategy continuously --fail-fast
  bulkhead chaos run experiment.yaml --dry actions --journal-path dry.json")]
pub(crate) struct ExperimentArgs {
    /// Experiment (.json, .yaml or .yml)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where the journal goes
    #[arg(long, value_name = "FILE", default_value = "journal.json")]
    journal_path: PathBuf,
    #[command(flatten)]
    values: ValueArgs,
    /// What is not carried out: probes, actions, activities (both) or pause
    #[arg(long, value_name = "WHAT", value_parser = |text: &str| Dry::parse(text).ok_or("probes, actions, activities or pause"))]
    dry: Option<Dry>,
    /// When roll-backs are played: default (unless the run failed), always, never or deviated
    /// [default: the file's, else always]
    #[arg(long, value_name = "STRATEGY", value_parser = |text: &str| RollbackStrategy::parse(text).ok_or("default, always, never or deviated"))]
    rollback_strategy: Option<RollbackStrategy>,
    /// When the hypothesis is looked at: default, before-method-only, after-method-only,
    /// during-method-only, continuously or skip [default: the file's]
    #[arg(long, value_name = "STRATEGY", value_parser = |text: &str| HypothesisStrategy::parse(text).ok_or("no such strategy"))]
    hypothesis_strategy: Option<HypothesisStrategy>,
    /// Between two looks at the hypothesis during the method: seconds, or a time such as 250ms
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = frequency)]
    hypothesis_frequency: Duration,
    /// End the method when the hypothesis is first found broken during it
    #[arg(long)]
    fail_fast: bool,
    /// Everything random is drawn from it, unless the file has a seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The lab that faults are asked of: http://ADDR or unix:PATH
    /// [default: `bulkhead_lab` of the configuration, then the variable BULKHEAD_LAB]
    #[arg(long, value_name = "URL")]
    lab: Option<String>,
}

/// Values of configuration and secrets.
#[derive(Debug, clap::Args)]
pub(super) struct ValueArgs {
    /// Value of the configuration: NAME=VALUE, or NAME:TYPE=VALUE (str, int, float, bool, json)
    #[arg(long, value_name = "NAME=VALUE")]
    var: Vec<String>,
    /// File with `configuration` and `secrets` (.json, .yaml), or with lines NAME=VALUE of the environment
    #[arg(long, value_name = "FILE")]
    var_file: Vec<PathBuf>,
}

impl ValueArgs {
    fn read(&self) -> anyhow::Result<Given> {
        let mut given = Given::default();
        for path in &self.var_file {
            let text =
                fs::read_to_string(path).with_context(|| format!("read `{}`", path.display()))?;
            given.add_file(&text, &path.display().to_string())?;
        }
        for text in &self.var {
            given.add(text).with_context(|| format!("read the variable `{text}`"))?;
        }
        Ok(given)
    }
}

fn frequency(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|frequency| !frequency.is_zero())
            .ok_or_else(|| "a time over 0 is expected".to_owned()),
        Err(_) => positive_duration(text),
    }
}

/// Reads and checks an experiment. Warnings are told; so is what is wrong, and then there is none.
fn load(path: &Path, surroundings: &Surroundings) -> anyhow::Result<Option<Experiment>> {
    let text = fs::read_to_string(path).with_context(|| format!("read `{}`", path.display()))?;
    let file = path.display().to_string();
    let syntax = Syntax::of(&file)
        .with_context(|| format!("`{file}` ends in neither .json, .yaml nor .yml"))?;
    let mut stderr = io::stderr().lock();
    match parse(&text, &file, syntax, surroundings) {
        Ok((experiment, warnings)) => {
            for warning in warnings {
                writeln!(stderr, "{warning}\n").context("write warnings")?;
            }
            Ok(Some(experiment))
        }
        Err(errors) => {
            writeln!(stderr, "{errors}").context("write errors")?;
            Ok(None)
        }
    }
}

pub(super) fn run(args: &ExperimentArgs) -> anyhow::Result<ExitCode> {
    let given = args.values.read()?;
    let surroundings = Surroundings::new(&given.environment);
    let Some(experiment) = load(&args.file, &surroundings)? else {
        return Ok(ExitCode::from(crate::failure::EXIT_COULD_NOT_RUN));
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let options = Options {
        hypothesis_strategy: args.hypothesis_strategy,
        rollback_strategy: args.rollback_strategy,
        hypothesis_frequency: args.hypothesis_frequency,
        fail_fast: args.fail_fast,
        dry: args.dry,
        // Different in each run, and in the journal, so that it can be given again.
        seed: args.seed.unwrap_or_else(|| u64::from(now.subsec_nanos()) ^ now.as_secs()),
        host: host(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let asks_lab = experiment.asks_lab() && args.dry != Some(Dry::Activities);
    let runner = Runner::new(experiment, &given, &surroundings, options, now)?;
    let configured = runner.configured("bulkhead_lab").map(str::to_owned);
    let lab = args.lab.clone().or(configured).or_else(|| surroundings.get("BULKHEAD_LAB"));
    // A fault that cannot be asked for would only be found out halfway.
    anyhow::ensure!(
        lab.is_some() || !asks_lab,
        "the experiment has faults of the lab, and no lab was named: start one with `bulkhead chaos \
         serve` and give its address with `--lab`"
    );
    let lab = Lab::new(lab, surroundings.get("BULKHEAD_LAB_TOKEN"));
    if asks_lab && let Err(why) = lab.reach() {
        let told = format!("error: the lab cannot be asked: {why}; nothing was begun\n");
        io::stderr().write_all(told.as_bytes()).context("tell why")?;
        return Ok(ExitCode::from(super::EXIT_INFRASTRUCTURE));
    }
    let runner = drive::run(runner, now, lab, &surroundings)?;
    write_journal(&runner, &args.journal_path)?;
    report(&runner, &args.journal_path)?;
    Ok(ExitCode::from(runner.verdict().outcome().exit_status()))
}

fn write_journal(runner: &Runner, path: &Path) -> anyhow::Result<()> {
    let journal = serde_json::to_vec_pretty(&runner.journal()).context("write the journal")?;
    fs::write(path, journal).with_context(|| format!("write `{}`", path.display()))
}

fn report(runner: &Runner, journal: &Path) -> anyhow::Result<()> {
    let mut text = summary::summary(runner)?;
    let status = if runner.deviated() { "deviated" } else { runner.status().name() };
    text.push_str(&format!("{status}; journal in {}\n", journal.display()));
    io::stdout().write_all(text.as_bytes()).context("write the verdict")
}

/// As the kernel says it.
pub(crate) fn host() -> Host {
    let read = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
        text.trim().to_owned()
    };
    Host {
        platform: format!("{}-{}-{}", read("ostype"), read("osrelease"), std::env::consts::ARCH),
        node: read("hostname"),
    }
}
