//! `bulkhead chaos inject`: orders an injection, or tells what it would do.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, bail};
use bulkhead_chaos::ChaosId;
use serde_json::Value;

use super::EXIT_NOT_EFFECTIVE;
use super::order::OrderArgs;
use super::place::PlaceArgs;

/// Inject a fault and wait until it is seen to be in force
///
/// FAULT is a kind, such as process.stop, or a declaration in JSON, such as {"process": "stop"};
/// `bulkhead chaos kinds` lists them, with an example of each. An order of its own, with a choice of
/// targets, a blast radius and conditions that break it off, comes from a file.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status: 0 it is in force (with --dry-run: it could be); 2 it came to nothing;
4 the lab turned the order away, or could not be asked.

Examples:
  bulkhead chaos inject process.stop --pid 4711 --ttl 30s
  bulkhead chaos inject process.kill --pid 4711 --dry-run
  bulkhead chaos inject '{\"http\": {\"abort\": {\"status\": 503}, \"percent\": 10, \"route\": \"api\"}}' \\
    --gateway 127.0.0.1:9901
  bulkhead chaos inject '{\"network\": {\"partition\": {\"direction\": \"both\"}}}' --link storm
  bulkhead chaos inject '{\"network\": {\"partition\": {\"direction\": \"upstream\"}}}' \\
    --interface lo --protocol tcp --server-port 9001
  bulkhead chaos inject --file order.json --json | jq -r '.ids[]'")]
pub(super) struct InjectArgs {
    #[command(flatten)]
    order: OrderArgs,
    /// Name and idempotency key, a UUID of version 7
    #[arg(long, value_name = "ID")]
    id: Option<ChaosId>,
    /// Approval of somebody else, for production; see `chaos approve`
    #[arg(long, value_name = "ID")]
    approval: Option<ChaosId>,
    /// Only tell victims and rules
    #[arg(long)]
    dry_run: bool,
    /// Write the answer as JSON to standard output
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

pub(super) fn execute(args: &InjectArgs) -> anyhow::Result<ExitCode> {
    let mut request = args.order.request()?;
    request.id = args.id.or(request.id);
    request.approval = args.approval.or(request.approval);
    let path = if args.dry_run { "/v1/dry-run" } else { "/v1/inject" };
    let body = serde_json::to_string(&request).context("write the order")?;
    let answer = args.place.client()?.must_ask("POST", path, &body)?;
    let came_to_nothing = answer.status == 422;
    if came_to_nothing && answer.document["injections"].is_null() {
        writeln!(std::io::stdout(), "refused: {}", answer.error()).context("write the answer")?;
        return Ok(ExitCode::from(EXIT_NOT_EFFECTIVE));
    }
    if !came_to_nothing && answer.status >= 300 {
        bail!("the lab answered {}: {}", answer.status, answer.error());
    }
    let document = &answer.document;
    let mut stdout = std::io::stdout().lock();
    if args.json {
        writeln!(stdout, "{document:#}").context("write the answer")?;
    } else if args.dry_run {
        tell_dry_run(document, &mut stdout)?;
    } else {
        for injection in document["injections"].as_array().into_iter().flatten() {
            writeln!(stdout, "{}", line(injection)).context("write the answer")?;
        }
    }
    let refused = args.dry_run
        && (!document["forbidden"].is_null()
            || document["rules"]
                .as_array()
                .is_some_and(|it| it.iter().any(|rule| !rule["refused"].is_null())));
    let status = if came_to_nothing || refused { EXIT_NOT_EFFECTIVE } else { 0 };
    Ok(ExitCode::from(status))
}

/// One injection in a line. Of one that ends or has ended, why: what was seen last says nothing of that.
pub(super) fn line(injection: &Value) -> String {
    let text = |key: &str| injection[key].as_str().unwrap_or("-");
    let took =
        injection["inject_ms"].as_f64().map_or_else(String::new, |ms| format!(" in {ms:.1} ms"));
    let effect = &injection["effect"];
    let struck = match effect["hits"].as_u64().zip(effect["seen"].as_u64()) {
        Some((hits, seen)) => format!(", struck {hits} of {seen}"),
        None => String::new(),
    };
    let why = match injection["ending_reason"].as_str() {
        Some(why) if why != text("detail") => format!(" ({why})"),
        _ => String::new(),
    };
    let (id, kind, state) = (text("id"), text("kind"), text("state"));
    format!("{id} {kind} {state}{took}{struck}{why}: {}", text("detail"))
}

fn tell_dry_run(document: &Value, out: &mut impl Write) -> anyhow::Result<()> {
    let victims = &document["victims"];
    let count = victims["targets"].as_array().map_or(0, Vec::len);
    writeln!(
        out,
        "{count} of {} targets ({:.1} %), seed {}",
        victims["candidates"],
        victims["effective_percent"].as_f64().unwrap_or_default(),
        document["seed"],
    )?;
    let targets = victims["targets"].as_array().into_iter().flatten();
    let mut rules = document["rules"].as_array().into_iter().flatten();
    for victim in targets {
        let rule = rules.next().unwrap_or(&Value::Null);
        let told = match rule["refused"].as_str() {
            Some(why) => format!("refused: {why}"),
            None => rule["rules"].to_string(),
        };
        writeln!(out, "  {} {told}", victim["target"])?;
    }
    if let Some(why) = document["forbidden"].as_str() {
        writeln!(out, "forbidden: {why}")?;
    }
    if document["needs_approval"] == true {
        writeln!(
            out,
            "a target is production: somebody else must approve the order first (`chaos approve`)"
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::line;

    #[test]
    fn a_line_says_what_was_seen_and_why_it_ended() {
        let mut injection = json!({
            "id": "1", "kind": "process.stop", "state": "active", "inject_ms": 3.06,
            "detail": "sleep is in state T",
        });
        assert_eq!(line(&injection), "1 process.stop active in 3.1 ms: sleep is in state T");
        injection["state"] = json!("reverted");
        injection["ending_reason"] = json!("ann wanted so");
        let told = "1 process.stop reverted in 3.1 ms (ann wanted so): sleep is in state T";
        assert_eq!(line(&injection), told);
    }
}
