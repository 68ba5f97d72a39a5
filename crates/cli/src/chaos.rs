//! `bulkhead chaos`: the chaos lab. One file for each of its commands.

mod approve;
mod audit;
mod client;
mod exec;
mod experiment;
mod import;
mod inject;
mod injectors;
mod kinds;
mod lever;
mod link;
mod order;
mod otlp;
mod place;
mod revert;
mod serve;
mod status;
mod toxiproxy;

use std::process::ExitCode;

pub(crate) use client::{Answer, Client};
pub(crate) use experiment::host;
pub(crate) use injectors::guardian_command;
use injectors::registry;
pub(crate) use link::link_kinds;

use crate::failure;

/// Exit status when an injection came to nothing.
const EXIT_NOT_EFFECTIVE: u8 = 2;
/// Exit status when something may be left behind.
const EXIT_REVERT_FAILED: u8 = 3;
/// Exit status when the lab itself failed, or could not be asked.
const EXIT_INFRASTRUCTURE: u8 = 4;

/// The chaos lab: faults that are real, verified and always taken back
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status: 0 done; 2 an injection came to nothing; 3 something could not be taken back;
4 the lab failed, turned it away or could not be asked. Of `run`: 0 held; 1 deviated.

Examples:
  bulkhead chaos serve                              The lab, on a socket of its own
  bulkhead chaos kinds                              Which faults there are
  bulkhead chaos inject process.stop --pid 4711 --ttl 30s
  bulkhead chaos exec --link storm --end client -- curl http://10.83.0.2:8080/
  bulkhead chaos revert --all                       Also works when no lab runs
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
    Serve(serve::ServeArgs),
    Kinds(kinds::KindsArgs),
    Inject(Box<inject::InjectArgs>),
    Approve(Box<approve::ApproveArgs>),
    Revert(revert::RevertArgs),
    Link(link::LinkArgs),
    Exec(exec::ExecArgs),
    Status(status::StatusArgs),
    Lever(lever::LeverArgs),
    Audit(audit::AuditArgs),
    Toxiproxy(toxiproxy::ToxiproxyArgs),
    /// Look after stopped processes; started by the lab itself
    #[command(hide = true)]
    Guardian,
    /// Carry out a fault of the host; started by the lab itself
    #[command(hide = true)]
    Carry,
    /// Hold a link; started by the lab itself
    #[command(hide = true)]
    HoldLink,
}

pub(crate) fn execute(args: &ChaosArgs) -> anyhow::Result<ExitCode> {
    let result = match &args.command {
        ChaosCommand::Run(args) => return experiment::run(args),
        ChaosCommand::Check(args) => return experiment::check(args),
        ChaosCommand::Schema(args) => return experiment::schema(args),
        ChaosCommand::Import(args) => return import::execute(args),
        ChaosCommand::Serve(args) => serve::execute(args),
        ChaosCommand::Kinds(args) => kinds::execute(args),
        ChaosCommand::Inject(args) => inject::execute(args),
        ChaosCommand::Approve(args) => approve::execute(args),
        ChaosCommand::Revert(args) => revert::execute(args),
        ChaosCommand::Link(args) => link::execute(args),
        ChaosCommand::Exec(args) => exec::execute(args),
        ChaosCommand::Status(args) => status::execute(args),
        ChaosCommand::Lever(args) => lever::execute(args),
        ChaosCommand::Audit(args) => audit::execute(args),
        ChaosCommand::Toxiproxy(args) => return toxiproxy::execute(args),
        ChaosCommand::Carry => {
            bulkhead_lab::carry().map(|()| ExitCode::SUCCESS).map_err(Into::into)
        }
        ChaosCommand::HoldLink => {
            bulkhead_lab::hold_link().map(|()| ExitCode::SUCCESS).map_err(Into::into)
        }
        ChaosCommand::Guardian => {
            bulkhead_lab::guard().map(|()| ExitCode::SUCCESS).map_err(Into::into)
        }
    };
    result.or_else(|error| {
        if failure::is_closed_pipe(&error) {
            return Err(error);
        }
        failure::report(&error);
        Ok(ExitCode::from(EXIT_INFRASTRUCTURE))
    })
}
