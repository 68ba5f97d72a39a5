//! `bulkhead completions`.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs};

pub(crate) fn execute(args: &CompletionsArgs) -> Result<ExitCode> {
    // Into memory first: the generator panics when standard output is closed.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "bulkhead", &mut script);
    io::stdout().write_all(&script).context("write the completion script")?;
    Ok(ExitCode::SUCCESS)
}
