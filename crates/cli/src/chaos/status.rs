//! `bulkhead chaos status`: what is alive.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use bulkhead_chaos::{Remembered, Target};
use serde_json::{Value, json};

use super::inject;
use super::place::PlaceArgs;

/// What is to be done about an injection that may be in force.
const NO_LAB: &str = "no lab is running: `bulkhead chaos revert --all` takes it back";

/// Tell what is injected at present
///
/// Without a lab that runs, what its journal knows is told: what has not ended there may be in force.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bulkhead chaos status
  bulkhead chaos status --all                       Also what has ended, and how
  bulkhead chaos status --json | jq '.live[].id'")]
pub(super) struct StatusArgs {
    /// Also what has ended: the latest 1,000
    #[arg(long)]
    all: bool,
    /// Write it as JSON to standard output
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

pub(super) fn execute(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let client = args.place.client()?;
    let mut document = match client.ask("GET", "/v1/status", "")? {
        Some(answer) => {
            let path = if args.all { "/v1/injections" } else { "/v1/injections?state=live" };
            let listed = client.must_ask("GET", path, "")?.document()?;
            json!({"running": true, "lab": answer.document()?, "injections": listed})
        }
        None => from_journal(&args.place)?,
    };
    let listed = document["injections"].take();
    let listed = listed.as_array().map_or(&[][..], |listed| listed);
    let is_live = |injection: &&Value| injection["ended_unix_ms"].is_null();
    let live: Vec<&Value> = listed.iter().filter(is_live).collect();
    let told = if args.all { listed.iter().collect() } else { live.clone() };
    let mut stdout = std::io::stdout().lock();
    if args.json {
        document["live"] = json!(live);
        match document.as_object_mut() {
            Some(members) if !args.all => _ = members.remove("injections"),
            _ => document["injections"] = json!(told),
        }
        writeln!(stdout, "{document:#}").context("write the status")?;
        return Ok(ExitCode::SUCCESS);
    }
    let lab = &document["lab"];
    let lever = if lab["lever_engaged"] == true { "ENGAGED" } else { "released" };
    let running = if document["running"] == true { "running" } else { "not running" };
    writeln!(stdout, "lab {running}, lever {lever}, {} injections alive", live.len())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    for injection in told {
        writeln!(stdout, "{}\n  {}", inject::line(injection), circumstances(injection, now))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Where it is, whose it is, and when it is over.
fn circumstances(injection: &Value, now: Duration) -> String {
    let target = match serde_json::from_value(injection["target"].clone()) {
        Ok(Target::Gateway { admin }) => format!("at the gateway {admin}"),
        Ok(Target::Process { pid, .. }) => format!("at process {pid}"),
        Ok(Target::Link { name }) => format!("at the link {name}"),
        Ok(Target::Interface(interface)) => format!("at the interface {}", interface.name),
        Ok(Target::Host) => "at this machine".to_owned(),
        _ => format!("at {}", injection["target"]),
    };
    let actor = match injection["actor"].as_str() {
        Some(actor) => format!(", ordered by {actor}"),
        None => String::new(),
    };
    let time = |key: &str| injection[key].as_u64().map(Duration::from_millis);
    if let Some(ended) = time("ended_unix_ms") {
        return format!("{target}{actor}; ended {} s ago", now.saturating_sub(ended).as_secs());
    }
    let expires = time("expires_unix_ms").unwrap_or_default();
    match expires.saturating_sub(now).as_secs() {
        0 => format!("{target}{actor}; its time is over"),
        left => format!("{target}{actor}; ends by itself in {left} s"),
    }
}

fn from_journal(place: &PlaceArgs) -> anyhow::Result<Value> {
    let directory = place.directory()?;
    let known = bulkhead_lab::recorded(&directory)?;
    let told = |it: &Remembered| {
        let (state, detail) = match (it.ended, &it.handle) {
            (Some((state, _)), _) => (state.name(), "as the journal knows it"),
            (None, Some(_)) => ("unknown", NO_LAB),
            (None, None) => ("intended", NO_LAB),
        };
        json!({
            "id": it.order.id, "kind": it.order.fault.kind(), "state": state, "actor": it.actor,
            "target": it.order.target, "expires_unix_ms": it.order.expires_unix_ms,
            "ended_unix_ms": it.ended.map(|(_, at)| at.as_millis() as u64), "detail": detail,
        })
    };
    let injections: Vec<Value> = known.injections.iter().map(told).collect();
    let lever = bulkhead_lab::lever_path(&directory).exists();
    Ok(json!({"running": false, "lab": {"lever_engaged": lever}, "injections": injections}))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::circumstances;

    #[test]
    fn it_is_told_where_a_fault_is_and_how_long() {
        let mut injection = json!({
            "target": {"process": {"pid": 4_711, "start_time": 3}}, "actor": "ann",
            "expires_unix_ms": 90_500,
        });
        let told = |injection: &Value| circumstances(injection, Duration::from_secs(60));
        assert_eq!(told(&injection), "at process 4711, ordered by ann; ends by itself in 30 s");
        injection["target"] = json!("host");
        injection["expires_unix_ms"] = json!(1);
        assert_eq!(told(&injection), "at this machine, ordered by ann; its time is over");
        injection["ended_unix_ms"] = json!(53_000);
        assert_eq!(told(&injection), "at this machine, ordered by ann; ended 7 s ago");
    }
}
