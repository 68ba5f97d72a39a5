//! `bulkhead chaos status`: what is alive.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Value, json};

use super::inject;
use super::place::PlaceArgs;

/// Tell what is injected at present
///
/// Without a lab that runs, what its journal knows is told: what has not ended there may be in force.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bulkhead chaos status
  bulkhead chaos status --json | jq '.live[].id'")]
pub(super) struct StatusArgs {
    /// Write it as JSON to standard output
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

pub(super) fn execute(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let client = args.place.client()?;
    let document = match client.ask("GET", "/v1/status", "")? {
        Some(answer) => {
            let live = client.must_ask("GET", "/v1/injections?state=live", "")?.document()?;
            json!({"running": true, "lab": answer.document()?, "live": live})
        }
        None => from_journal(&args.place)?,
    };
    let mut stdout = std::io::stdout().lock();
    if args.json {
        writeln!(stdout, "{document:#}").context("write the status")?;
        return Ok(ExitCode::SUCCESS);
    }
    let lab = &document["lab"];
    let lever = if lab["lever_engaged"] == true { "ENGAGED" } else { "released" };
    let running = if document["running"] == true { "running" } else { "not running" };
    let live = document["live"].as_array().map_or(&[][..], |live| live);
    writeln!(stdout, "lab {running}, lever {lever}, {} injections alive", live.len())?;
    for injection in live {
        writeln!(stdout, "{}", inject::line(injection))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn from_journal(place: &PlaceArgs) -> anyhow::Result<Value> {
    let directory = place.directory()?;
    let known = bulkhead_lab::recorded(&directory)?;
    let alive = known.injections.iter().filter(|it| it.ended.is_none());
    let live: Vec<Value> = alive
        .map(|it| {
            let state = if it.handle.is_some() { "unknown" } else { "intended" };
            json!({
                "id": it.order.id, "kind": it.order.fault.kind(), "state": state,
                "target": it.order.target, "expires_unix_ms": it.order.expires_unix_ms,
                "detail": "no lab is running: `bulkhead chaos revert --all` takes it back",
            })
        })
        .collect();
    let lever = bulkhead_lab::lever_path(&directory).exists();
    Ok(json!({"running": false, "lab": {"lever_engaged": lever}, "live": live}))
}
