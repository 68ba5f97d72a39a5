//! `bulkhead chaos kinds`: which faults there are.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use bulkhead_chaos::{FAULT_KINDS, FaultKind};
use serde_json::json;

/// List the kinds of faults, with what they strike and how they are declared
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bulkhead chaos kinds
  bulkhead chaos kinds network                      One family
  bulkhead chaos kinds http.abort                   One kind, with a declaration to begin with
  bulkhead chaos kinds --json | jq -r '.[].name'")]
pub(super) struct KindsArgs {
    /// A kind, or a family of them
    #[arg(value_name = "KIND", value_parser = chosen)]
    kind: Option<Chosen>,
    /// Write them as JSON to standard output
    #[arg(long)]
    json: bool,
}

/// Kinds of one name or family.
#[derive(Clone, Debug)]
struct Chosen(Vec<&'static FaultKind>);

fn chosen(text: &str) -> Result<Chosen, String> {
    let fits = |kind: &&FaultKind| {
        kind.name == text || kind.name.split_once('.').is_some_and(|(family, _)| family == text)
    };
    let kinds: Vec<_> = FAULT_KINDS.iter().filter(fits).collect();
    if !kinds.is_empty() {
        return Ok(Chosen(kinds));
    }
    let mut families: Vec<&str> =
        FAULT_KINDS.iter().filter_map(|kind| Some(kind.name.split_once('.')?.0)).collect();
    families.dedup();
    Err(format!("no kind or family is called so; families are {}", families.join(", ")))
}

pub(super) fn execute(args: &KindsArgs) -> anyhow::Result<ExitCode> {
    let kinds = args.kind.as_ref().map_or_else(|| FAULT_KINDS.iter().collect(), |it| it.0.clone());
    let mut stdout = std::io::stdout().lock();
    if args.json {
        let document: Vec<_> = kinds.iter().map(|kind| document(kind)).collect();
        writeln!(stdout, "{:#}", json!(document)).context("write the kinds")?;
    } else if let [kind] = kinds[..] {
        let targets: Vec<&str> = kind.targets.iter().map(|target| option(target)).collect();
        writeln!(stdout, "{}: {}", kind.name, kind.effect)?;
        for target in targets {
            writeln!(stdout, "  bulkhead chaos inject '{}' {target}", kind.example)?;
        }
    } else {
        for kind in kinds {
            let targets = kind.targets.join(", ");
            writeln!(stdout, "{:<28} {targets:<16} {}", kind.name, kind.effect)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn document(kind: &FaultKind) -> serde_json::Value {
    let example: serde_json::Value = serde_json::from_str(kind.example).unwrap_or_default();
    json!({"name": kind.name, "targets": kind.targets, "effect": kind.effect, "example": example})
}

/// The option that names a target of this kind.
fn option(target: &str) -> &'static str {
    match target {
        "process" => "--pid PID",
        "gateway" => "--gateway ADDR",
        "link" => "--link NAME",
        "interface" => "--interface NAME --end END   # as far as a carrier there can",
        _ => "--host",
    }
}
