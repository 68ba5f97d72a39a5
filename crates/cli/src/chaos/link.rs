//! `bulkhead chaos link`: links that the lab holds, for network faults.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, bail};
use bulkhead_lab::{LinkKind, LinkRequest};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::Value;

use super::place::PlaceArgs;

/// Make, list or remove links, on which network faults can be injected
///
/// A link joins two networks of its own, `client` and `server`, and nothing else; programs are started
/// at its ends by `bulkhead chaos exec`. It lasts until it is removed or the lab ends, and needs no root
/// where user namespaces are allowed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bulkhead chaos link add storm
  bulkhead chaos link add storm --congestion-control cubic
  bulkhead chaos link add wire --link-kind veth
  bulkhead chaos exec --link storm --end server -- bulkhead origin --listen 10.83.0.2:8080
  bulkhead chaos inject '{\"network\": {\"delay\": {\"direction\": \"upstream\", \"base_ms\": 40}}}' --link storm
  bulkhead chaos link list
  bulkhead chaos link remove storm")]
pub(super) struct LinkArgs {
    #[command(subcommand)]
    command: LinkCommand,
}

#[derive(Debug, clap::Subcommand)]
enum LinkCommand {
    Add(AddArgs),
    List(ListArgs),
    Remove(RemoveArgs),
}

/// Make a link; one that is there already, and was made in the same way, is left as it is
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status: 0 the link is there; 4 it could not be made.

Examples:
  bulkhead chaos link add storm
  bulkhead chaos link add storm --congestion-control cubic --json")]
struct AddArgs {
    /// At most 15 letters, digits, `-` and `_`; its interfaces are called so too
    #[arg(value_name = "NAME")]
    name: String,
    /// Of TCP for all connections over it, such as cubic or bbr [default: the kernel's]
    #[arg(long, value_name = "ALGORITHM")]
    congestion_control: Option<String>,
    /// What its ends are: TUN devices, or Ethernet interfaces (veth, AF_PACKET) for what needs such
    #[arg(long, value_name = "KIND", default_value = "tun", value_parser = link_kinds())]
    link_kind: LinkKind,
    /// Write the link as JSON to standard output
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Tell which links there are, and where their ends are
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bulkhead chaos link list
  bulkhead chaos link list --json | jq -r '.[].server.v4'")]
struct ListArgs {
    /// Write the links as JSON to standard output
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Take back what is injected on a link, and end it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  bulkhead chaos link remove storm")]
struct RemoveArgs {
    /// As it was made
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: PlaceArgs,
}

pub(super) fn execute(args: &LinkArgs) -> anyhow::Result<ExitCode> {
    let (lines, document) = match &args.command {
        LinkCommand::Add(args) => {
            let request = LinkRequest {
                congestion_control: args.congestion_control.clone(),
                kind: args.link_kind,
            };
            let body = serde_json::to_string(&request).context("write the request")?;
            let client = args.place.client()?;
            let link = client.must_ask("PUT", &path(&args.name)?, &body)?.document()?;
            (vec![line(&link)], args.json.then_some(link))
        }
        LinkCommand::List(args) => {
            let links = args.place.client()?.must_ask("GET", "/v1/links", "")?.document()?;
            let lines = links.as_array().into_iter().flatten().map(line).collect();
            (lines, args.json.then_some(links))
        }
        LinkCommand::Remove(args) => {
            let client = args.place.client()?;
            client.must_ask("DELETE", &path(&args.name)?, "")?.document()?;
            (vec![format!("link {} removed", args.name)], None)
        }
    };
    let mut stdout = std::io::stdout().lock();
    match document {
        Some(document) => writeln!(stdout, "{document:#}"),
        None => lines.iter().try_for_each(|line| writeln!(stdout, "{line}")),
    }
    .context("write the answer")?;
    Ok(ExitCode::SUCCESS)
}

/// What the ends of a link may be, as typed.
pub(crate) fn link_kinds() -> impl TypedValueParser<Value = LinkKind> {
    PossibleValuesParser::new(["tun", "veth"]).map(|text| match text.as_str() {
        "veth" => LinkKind::Veth,
        _ => LinkKind::Tun,
    })
}

/// Of a link's document.
pub(super) fn path(name: &str) -> anyhow::Result<String> {
    let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_');
    if name.is_empty() || !name.chars().all(fits) {
        bail!("`{name}` is no name for a link: expected are letters, digits, `-` and `_`");
    }
    Ok(format!("/v1/links/{name}"))
}

/// One link in a line.
pub(super) fn line(link: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let state = if link["up"] == true { "up" } else { "GONE; make it anew" };
    format!(
        "link {} {state}: client {}, server {}, {}, {}, held by process {}",
        text(&link["name"]),
        text(&link["client"]["v4"]),
        text(&link["server"]["v4"]),
        text(&link["kind"]),
        text(&link["congestion_control"]),
        link["pid"],
    )
}
