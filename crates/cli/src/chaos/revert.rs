//! `bulkhead chaos revert`: takes back one injection or all, also without a lab.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use bulkhead_chaos::{ChaosId, EngineOptions, Policy};
use bulkhead_lab::{Lab, LabOptions, Until};
use serde_json::{Value, json};

use super::place::PlaceArgs;
use super::{EXIT_REVERT_FAILED, inject, registry};

/// How long taking back may take without a lab.
const PATIENCE: Duration = Duration::from_secs(30);

/// Take back an injection, or everything
///
/// Waits until nothing is seen of it any more. With --all and no lab running, what the journal knows
/// is taken back by this command itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status: 0 nothing is left; 3 something may be; 4 it could not be asked.

Examples:
  bulkhead chaos revert --all
  bulkhead chaos revert 019ad2c1-6c3e-7b1a-9f00-5d0c8f1e2a3b
  bulkhead chaos revert --all --state /run/bulkhead-chaos --json")]
#[command(group(clap::ArgGroup::new("which").required(true).args(["id", "all"])))]
pub(super) struct RevertArgs {
    /// The injection
    #[arg(value_name = "ID")]
    id: Option<ChaosId>,
    /// Everything that is alive
    #[arg(long)]
    all: bool,
    /// Write the answer as JSON to standard output
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

pub(super) fn execute(args: &RevertArgs) -> anyhow::Result<ExitCode> {
    let client = args.place.client()?;
    if let Some(id) = args.id {
        let answer = client.must_ask("DELETE", &format!("/v1/injections/{id}"), "")?;
        let done = answer.status == 200;
        let document = answer.document()?;
        tell(args, &document, || inject::line(&document))?;
        return Ok(exit(done));
    }
    let document = match client.ask("POST", "/v1/revert", "")? {
        // Some left is an answer too.
        Some(answer) if answer.document["left"].is_array() => answer.document,
        Some(answer) => answer.document()?,
        None => from_journal(&args.place)?,
    };
    let left = document["left"].as_array().map_or(0, Vec::len);
    tell(args, &document, || format!("{} taken back, {left} left", document["reverted"]))?;
    Ok(exit(left == 0))
}

fn exit(done: bool) -> ExitCode {
    if done { ExitCode::SUCCESS } else { ExitCode::from(EXIT_REVERT_FAILED) }
}

fn tell(args: &RevertArgs, document: &Value, text: impl Fn() -> String) -> anyhow::Result<()> {
    let text = if args.json { format!("{document:#}") } else { text() };
    writeln!(std::io::stdout(), "{text}").context("write the answer")
}

/// A lab of our own for a moment: opening it takes back what the journal knows.
fn from_journal(place: &PlaceArgs) -> anyhow::Result<Value> {
    let directory = place.directory()?;
    let alive = bulkhead_lab::recorded(&directory)?.injections;
    let alive: Vec<ChaosId> =
        alive.iter().filter(|it| it.ended.is_none()).map(|it| it.order.id).collect();
    if alive.is_empty() {
        return Ok(json!({"reverted": 0, "left": []}));
    }
    let options = LabOptions {
        directory,
        engine: EngineOptions::default(),
        policy: Policy::default(),
        seed: 0,
    };
    let lab = Lab::open(options, registry(false, None, None)?)?;
    let ended = lab.wait(&alive, Until::Ended, PATIENCE);
    let left: Vec<_> = ended.iter().filter(|it| !it.state.is_terminal()).collect();
    let document = json!({"reverted": ended.len() - left.len(), "left": left});
    lab.close(Duration::ZERO);
    Ok(document)
}
