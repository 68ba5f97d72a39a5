//! `bulkhead chaos audit`: whether the audit log is what was written.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use bulkhead_chaos::AuditHead;
use serde_json::json;

use super::place;

/// The audit log of the lab: who did what to what, with which seed and rules, and how it went
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bulkhead chaos audit verify
  tail -1 /var/lib/bulkhead/chaos/audit.log | jq .    Each line is an entry in JSON")]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AuditCommand {
    Verify(VerifyArgs),
}

/// Check that no line was changed, taken out or put in
///
/// Every line holds the hash of the one before. Lines cut off at the end show only against a hash that
/// was kept elsewhere: GET /v1/status tells the latest.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status: 0 it is whole; 1 it is not; 4 it could not be read.

Examples:
  bulkhead chaos audit verify
  bulkhead chaos audit verify --state /run/bulkhead-chaos --json
  bulkhead chaos audit verify --head 5f3b…e1 /var/lib/bulkhead/chaos/audit.log")]
struct VerifyArgs {
    /// The log [default: that in the lab's directory]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The lab's directory
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    state: Option<PathBuf>,
    /// A hash that must be in it
    #[arg(long, value_name = "HASH")]
    head: Option<String>,
    /// Write the result as JSON to standard output
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let AuditCommand::Verify(args) = &args.command;
    let path = match &args.file {
        Some(path) => path.clone(),
        None => bulkhead_lab::audit_path(&place::state_directory(args.state.clone())?),
    };
    let text = fs::read_to_string(&path).with_context(|| format!("read `{}`", path.display()))?;
    let verified = AuditHead::verify(&text, args.head.as_deref());
    let line = match (&verified, args.json) {
        (Ok(head), true) => {
            json!({"whole": true, "entries": head.entries, "head": head.hash}).to_string()
        }
        (Err(error), true) => json!({"whole": false, "error": error.to_string()}).to_string(),
        (Ok(head), false) => format!("{} entries, whole; head {}", head.entries, head.hash),
        (Err(error), false) => format!("not whole: {error}"),
    };
    writeln!(std::io::stdout(), "{line}").context("write the result")?;
    Ok(if verified.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
