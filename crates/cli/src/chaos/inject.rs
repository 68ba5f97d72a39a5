//! `bulkhead chaos inject`: orders an injection, or tells what it would do.

mod interface;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use bulkhead_chaos::{ChaosId, Fault, InjectRequest, NamedTarget, ProcessName, TimeToLive};
use serde_json::{Value, json};

use super::EXIT_NOT_EFFECTIVE;
use super::place::PlaceArgs;
use interface::InterfaceArgs;

/// Inject a fault and wait until it is seen to be in force
///
/// FAULT is a kind, such as process.stop, or a declaration in JSON, such as {"process": "stop"}. An
/// order of its own, with a choice of targets and a blast radius, comes from a file.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status: 0 it is in force (with --dry-run: it could be); 2 it came to nothing;
4 the lab could not be asked.

Examples:
  bulkhead chaos inject process.stop --pid 4711 --ttl 30s
  bulkhead chaos inject process.kill --pid 4711 --dry-run
  bulkhead chaos inject '{\"network\": {\"partition\": {\"direction\": \"both\"}}}' --link storm
  bulkhead chaos inject '{\"network\": {\"partition\": {\"direction\": \"upstream\"}}}' \\
    --interface lo --protocol tcp --server-port 9001
  bulkhead chaos inject --file order.json --json | jq -r '.ids[]'")]
#[command(group(clap::ArgGroup::new("what").required(true).args(["fault", "file"])))]
#[command(group(clap::ArgGroup::new("where").args([
    "pid", "pid_file", "command", "port", "gateway", "link", "interface", "host",
])))]
pub(super) struct InjectArgs {
    /// What is to be broken
    #[arg(value_name = "FAULT", requires = "where")]
    fault: Option<String>,
    /// A whole order in JSON, as POST /v1/inject takes it; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["where", "ttl", "seed", "label"])]
    file: Option<PathBuf>,
    /// Target: a process
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Target: the process whose number is in a file
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// Target: the process of a program, if it is the only one
    #[arg(long, value_name = "NAME")]
    command: Option<String>,
    /// Target: the process that listens on a TCP port
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Target: a gateway, by the address of its admin server
    #[arg(long, value_name = "ADDR")]
    gateway: Option<SocketAddr>,
    /// Target: a link that the lab holds; see `chaos link`
    #[arg(long, value_name = "NAME")]
    link: Option<String>,
    #[command(flatten)]
    interface: InterfaceArgs,
    /// Target: this machine
    #[arg(long)]
    host: bool,
    /// Labels of the target; environment=production needs an approval
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// When it ends by itself, at most 15m [default: 60s]
    #[arg(long, value_name = "TIME")]
    ttl: Option<TimeToLive>,
    /// Everything random is drawn from it
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Name and idempotency key, a UUID of version 7
    #[arg(long, value_name = "ID")]
    id: Option<ChaosId>,
    /// Approval of somebody else, for production
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

fn label(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = parts.ok_or("expected is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) fn execute(args: &InjectArgs) -> anyhow::Result<ExitCode> {
    let mut request = match &args.file {
        Some(path) => from_file(path)?,
        None => from_arguments(args)?,
    };
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

fn from_file(path: &PathBuf) -> anyhow::Result<InjectRequest<NamedTarget>> {
    let what = || format!("read `{}`", path.display());
    let mut text = String::new();
    if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).with_context(what)?;
    } else {
        text = std::fs::read_to_string(path).with_context(what)?;
    }
    serde_json::from_str(&text).with_context(what)
}

fn from_arguments(args: &InjectArgs) -> anyhow::Result<InjectRequest<NamedTarget>> {
    let fault = fault(args.fault.as_deref().unwrap_or_default())?;
    let target = if let Some(pid) = args.pid {
        // As it is now, whatever becomes of its number on the way to the lab.
        bulkhead_lab::process_target(pid).with_context(|| format!("find process {pid}"))?.into()
    } else if let Some(admin) = args.gateway {
        NamedTarget::Gateway { admin }
    } else if let Some(name) = args.link.clone() {
        NamedTarget::Link { name }
    } else if let Some(target) = args.interface.target() {
        NamedTarget::Interface(target)
    } else if args.host {
        NamedTarget::Host
    } else {
        NamedTarget::Process(ProcessName {
            pid_file: args.pid_file.as_deref().map(std::path::absolute).transpose()?,
            command: args.command.clone(),
            port: args.port,
            ..ProcessName::default()
        })
    };
    let mut request = InjectRequest::new(fault, target);
    request.labels = args.label.iter().cloned().collect();
    request.seed = args.seed;
    request.ttl = args.ttl.unwrap_or_default();
    Ok(request)
}

/// `process.stop`, or JSON.
fn fault(text: &str) -> anyhow::Result<Fault> {
    let declaration: Value = match text.split_once('.') {
        Some((family, kind)) if !text.starts_with('{') => json!({ family: kind }),
        _ => serde_json::from_str(text)
            .with_context(|| format!("`{text}` is neither a kind such as process.stop nor JSON"))?,
    };
    serde_json::from_value(declaration)
        .with_context(|| format!("`{text}` is no fault; one that has more to say is given as JSON"))
}

/// One injection in a line.
pub(super) fn line(injection: &Value) -> String {
    let text = |key: &str| injection[key].as_str().unwrap_or("-");
    let took =
        injection["inject_ms"].as_f64().map_or_else(String::new, |ms| format!(" in {ms:.1} ms"));
    let effect = &injection["effect"];
    let struck = match effect["hits"].as_u64().zip(effect["seen"].as_u64()) {
        Some((hits, seen)) => format!(", struck {hits} of {seen}"),
        None => String::new(),
    };
    format!("{} {} {}{took}{struck}: {}", text("id"), text("kind"), text("state"), text("detail"))
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
        writeln!(out, "a target is production: somebody else must approve the order first")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{fault, label};

    #[test]
    fn faults_are_kinds_or_json() {
        assert_eq!(fault("process.stop").unwrap().kind(), "process.stop");
        assert_eq!(
            fault(r#"{"gateway": {"kill_worker": {"worker": 1}}}"#).unwrap().kind(),
            "gateway.kill_worker"
        );
        for wrong in ["", "stop", "process.", "process.stpo", "gateway.kill_worker", "{", "{}"] {
            assert!(fault(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn labels_have_names() {
        assert_eq!(label("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(label("=b").is_err() && label("b").is_err());
    }
}
