//! `bulkhead chaos approve`: lets somebody else inject into production.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use super::order::OrderArgs;
use super::place::PlaceArgs;
use crate::load::positive_duration;

/// Approve an order that somebody else will give, once
///
/// The order is told as `chaos inject` will tell it: fault, target, labels, blast radius and time to live
/// must be the same. Whoever gives it names the approval with --approval.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status: 0 it is approved; 4 it was turned away, or the lab could not be asked.

Examples:
  bulkhead chaos approve process.stop --pid 4711 --label environment=production --token-file ann
  bulkhead chaos approve --file order.json --within 10m --token-file ann --json | jq -r .id
  bulkhead chaos inject --file order.json --token-file bob --approval 019ad2c1-6c3e-7b1a-9f00-5d0c8f1e2a3b")]
pub(super) struct ApproveArgs {
    #[command(flatten)]
    order: OrderArgs,
    /// How long the approval holds, at most 60m
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = positive_duration)]
    within: Duration,
    /// Write the approval as JSON to standard output
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

pub(super) fn execute(args: &ApproveArgs) -> anyhow::Result<ExitCode> {
    let body =
        json!({"order": args.order.request()?, "for_s": args.within.as_secs().max(1)}).to_string();
    let approval = args.place.client()?.must_ask("POST", "/v1/approvals", &body)?.document()?;
    let text = if args.json {
        format!("{approval:#}")
    } else {
        let text = |key: &str| approval[key].as_str().unwrap_or("-");
        format!("approval {} by {}: for this order, once", text("id"), text("by"))
    };
    writeln!(std::io::stdout(), "{text}").context("write the approval")?;
    Ok(ExitCode::SUCCESS)
}
