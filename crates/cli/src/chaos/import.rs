//! `bulkhead chaos import`: Chaos Mesh → Chaos Toolkit.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use bulkhead_experiment::import;

/// Turn objects of Chaos Mesh into an experiment in Chaos Toolkit's format
///
/// NetworkChaos, HTTPChaos, PodChaos (on processes), StressChaos, Schedule (one round of it), Workflow and
/// StatusCheck. There are no pods here: what objects select becomes a variable of the configuration. Every
/// field that has no equivalent is told on standard error, with its line and the reason.
///
/// Exit status: 0, or with --strict 1 if something has no equivalent; 2 if the file cannot be used.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bulkhead chaos import network-chaos.yaml > experiment.json
  bulkhead chaos import workflow.yaml --strict > experiment.json && bulkhead chaos check experiment.json")]
pub(super) struct ImportArgs {
    /// Objects of Chaos Mesh, in one or several documents of YAML
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// End with 1 if something has no equivalent
    #[arg(long)]
    strict: bool,
}

pub(super) fn execute(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let file = args.file.display().to_string();
    let text = fs::read_to_string(&args.file).with_context(|| format!("read `{file}`"))?;
    let imported = import(&text, &file)?;
    let mut stderr = io::stderr().lock();
    for left in &imported.left_out {
        writeln!(stderr, "{file}:{}: {}: {}", left.line, left.path, left.reason)
            .context("write what was left out")?;
    }
    writeln!(io::stdout(), "{:#}", imported.experiment).context("write the experiment")?;
    let incomplete = args.strict && !imported.left_out.is_empty();
    Ok(if incomplete { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
