//! `bulkhead bench`: measures parts of Bulkhead by themselves.

mod chaos;
mod look;

use std::process::ExitCode;

/// Measure a part of Bulkhead by itself
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bulkhead bench chaos --injections 1000
  bulkhead bench chaos --injections 10000 --kills 200 --json chaos.json")]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    command: BenchCommand,
}

#[derive(Debug, clap::Subcommand)]
enum BenchCommand {
    Chaos(chaos::ChaosBenchArgs),
    /// Tell what a client at an end of a link meets; started by the bench itself
    #[command(hide = true)]
    Look,
}

pub(crate) fn execute(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        BenchCommand::Chaos(args) => chaos::execute(args),
        BenchCommand::Look => look::execute().map(|()| ExitCode::SUCCESS),
    }
}
