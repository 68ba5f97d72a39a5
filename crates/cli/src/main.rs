//! The `bulkhead` binary: reads the command line, wires the gateway to its control plane, waits for
//! signals. It decides nothing about requests.

mod args;
mod bench;
mod chaos;
mod check;
mod completions;
mod config_file;
mod failure;
mod interrupt;
mod load;
mod log;
mod origin;
mod page;
mod plane;
mod post;
mod prove;
mod run;
mod upgrade;
mod version;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Run(args) => run::execute(args),
        Command::Check(args) => check::execute(&args),
        Command::Upgrade(args) => upgrade::execute(&args),
        Command::Chaos(args) => chaos::execute(&args),
        Command::Prove(args) => prove::execute(args),
        Command::Bench(args) => bench::execute(&args),
        Command::Load(args) => load::execute(&args),
        Command::Origin(args) => origin::execute(&args),
        Command::Version(args) => version::execute(&args),
        Command::Completions(args) => completions::execute(&args),
    };
    result.unwrap_or_else(|error| {
        // `bulkhead … | head` has seen enough: that is no failure.
        if failure::is_closed_pipe(&error) {
            return ExitCode::SUCCESS;
        }
        failure::report(&error);
        ExitCode::from(failure::EXIT_COULD_NOT_RUN)
    })
}
