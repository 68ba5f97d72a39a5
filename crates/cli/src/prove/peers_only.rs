//! The others without us: a piece of a comparison that was begun by an earlier run.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::{Context, ensure};
use serde::Serialize;

use super::against::{self, PeerResult};
use super::args::ProveArgs;
use super::plan::Plan;
use super::progress::Progress;
use super::tokens::TokenPool;
use super::{markdown, table, write};
use crate::interrupt::Interrupt;

/// What `--json` writes.
#[derive(Debug, Serialize)]
struct Results {
    schema: u32,
    profile: String,
    seed: u64,
    offered_rps: f64,
    duration_s: f64,
    storm: String,
    command: String,
    against: Vec<PeerResult>,
}

/// Runs the storm for the others, one after the other, and writes their rows.
pub(super) fn run(args: &ProveArgs, plan: &Plan) -> anyhow::Result<()> {
    ensure!(
        plan.profile.traffic.rate.is_some() && args.seed.is_some(),
        "--peers-only needs the --rate and --seed of the run that it is a piece of: its report ends with them"
    );
    let mut rows = against::read_earlier(&args.against_from, plan)?;
    let (interrupt, progress) = (Interrupt::watch()?, Progress::new());
    progress.say(&plan.describe());
    let tokens = Arc::new(TokenPool::generate(plan.tokens)?);
    rows.extend(against::run(plan, &tokens, &interrupt, &progress));
    let results = Results {
        schema: 1,
        profile: plan.source.to_string(),
        seed: plan.seed,
        offered_rps: plan.rate(),
        duration_s: plan.profile.duration.as_secs_f64(),
        storm: plan.storm(),
        command: format!("{} --peers-only", plan.command()),
        against: rows,
    };
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&results).context("serialise the results")?;
        write(path, &(json + "\n"))?;
        progress.say(&format!("wrote {}", path.display()));
    }
    if let Some(path) = &args.markdown {
        write(path, &markdown::peers(&results.against))?;
        progress.say(&format!("wrote {}", path.display()));
    }
    let mut out = std::io::stdout().lock();
    table::peers(&results.against, &mut out).context("write the table")?;
    writeln!(out, "\nreplay:  {}", results.command).context("write the table")
}
