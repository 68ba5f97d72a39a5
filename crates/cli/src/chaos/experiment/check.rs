//! `bulkhead chaos check` and `schema`: what is wrong with an experiment, and what may stand in one.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::surroundings::Surroundings;
use super::{ValueArgs, load};

/// Check an experiment without running it
///
/// What Chaos Toolkit refuses is refused here too, all of it at once with line, column and remedy; so is
/// what could not be run here. Environment variables and programs that it names have to be there.
///
/// Exit status: 0 if it can be run, 1 if not, 2 if it cannot be read.
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "validate",
    after_help = "\
Examples:
  bulkhead chaos check experiment.yaml
  bulkhead chaos check experiment.json --var-file production.env"
)]
pub(crate) struct CheckArgs {
    /// Experiment (.json, .yaml or .yml)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    values: ValueArgs,
}

pub(in crate::chaos) fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let given = args.values.read()?;
    let surroundings = Surroundings::new(&given.environment);
    if load(&args.file, &surroundings)?.is_none() {
        return Ok(ExitCode::FAILURE);
    }
    writeln!(io::stdout(), "{}: ok", args.file.display()).context("write the result")?;
    Ok(ExitCode::SUCCESS)
}

/// Print the JSON Schema (draft 2020-12) of experiments
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bulkhead chaos schema > experiment.schema.json")]
pub(crate) struct SchemaArgs {}

pub(in crate::chaos) fn schema(_: &SchemaArgs) -> anyhow::Result<ExitCode> {
    let schema = bulkhead_experiment::schema();
    writeln!(io::stdout(), "{schema:#}").context("write the schema")?;
    Ok(ExitCode::SUCCESS)
}
