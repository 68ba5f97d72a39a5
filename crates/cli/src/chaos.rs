//! `bulkhead chaos`: the chaos lab. One file for each of its commands.

mod toxiproxy;

use std::process::ExitCode;

/// The chaos lab: faults that are real, verified and always taken back
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  bulkhead chaos toxiproxy                          TCP proxies, driven by Toxiproxy's clients")]
pub(crate) struct ChaosArgs {
    #[command(subcommand)]
    command: ChaosCommand,
}

/// Help of each stands with its arguments.
#[derive(Debug, clap::Subcommand)]
enum ChaosCommand {
    Toxiproxy(toxiproxy::ToxiproxyArgs),
}

pub(crate) fn execute(args: &ChaosArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        ChaosCommand::Toxiproxy(args) => toxiproxy::execute(args),
    }
}
