//! `bulkhead chaos`: the chaos lab. One file for each of its commands.

mod experiment;
mod import;
mod toxiproxy;

use std::process::ExitCode;

/// The chaos lab: faults that are real, verified and always taken back
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  bulkhead chaos run experiment.yaml                An experiment in Chaos Toolkit's format
  bulkhead chaos toxiproxy                          TCP proxies, driven by Toxiproxy's clients")]
pub(crate) struct ChaosArgs {
    #[command(subcommand)]
    command: ChaosCommand,
}

/// Help of each stands with its arguments.
#[derive(Debug, clap::Subcommand)]
enum ChaosCommand {
    Run(Box<experiment::ExperimentArgs>),
    Check(experiment::CheckArgs),
    Schema(experiment::SchemaArgs),
    Import(import::ImportArgs),
    Toxiproxy(toxiproxy::ToxiproxyArgs),
}

pub(crate) fn execute(args: &ChaosArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        ChaosCommand::Run(args) => experiment::run(args),
        ChaosCommand::Check(args) => experiment::check(args),
        ChaosCommand::Schema(args) => experiment::schema(args),
        ChaosCommand::Import(args) => import::execute(args),
        ChaosCommand::Toxiproxy(args) => toxiproxy::execute(args),
    }
}
