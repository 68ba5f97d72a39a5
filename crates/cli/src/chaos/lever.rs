//! `bulkhead chaos lever`: stops everything and blocks what is new, or lets it be again.

use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use bulkhead_lab::{lever_path, set_lever_file};
use clap::ValueEnum;
use serde_json::json;

use super::place::PlaceArgs;

/// Engage or release the safety lever
///
/// While it is engaged everything is taken back and nothing is injected; it holds over restarts. It is
/// a file, so that it can be engaged without a running lab too.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bulkhead chaos lever engage
  bulkhead chaos lever release
  bulkhead chaos lever show --json")]
pub(super) struct LeverArgs {
    #[arg(value_enum)]
    what: What,
    /// Write the answer as JSON to standard output
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Stop everything and block what is new
    Engage,
    /// Let injections be again
    Release,
    /// Tell where it is
    Show,
}

pub(super) fn execute(args: &LeverArgs) -> anyhow::Result<ExitCode> {
    let client = args.place.client()?;
    let (method, body) = match args.what {
        What::Engage => ("PUT", json!({"engaged": true}).to_string()),
        What::Release => ("PUT", json!({"engaged": false}).to_string()),
        What::Show => ("GET", String::new()),
    };
    let engaged = match client.ask(method, "/v1/lever", &body)? {
        Some(answer) => answer.document()?["engaged"] == true,
        None => by_file(args)?,
    };
    let text = match (args.json, engaged) {
        (true, _) => json!({"engaged": engaged}).to_string(),
        (false, true) => "engaged: nothing is injected".to_owned(),
        (false, false) => "released".to_owned(),
    };
    writeln!(io::stdout(), "{text}").context("write the answer")?;
    Ok(ExitCode::SUCCESS)
}

fn by_file(args: &LeverArgs) -> anyhow::Result<bool> {
    let directory = args.place.directory()?;
    let path = lever_path(&directory);
    let what = || format!("change `{}`", path.display());
    match args.what {
        What::Show => {}
        What::Engage => {
            fs::create_dir_all(&directory).with_context(what)?;
            set_lever_file(&path, true).with_context(what)?;
        }
        What::Release => set_lever_file(&path, false).with_context(what)?,
    }
    Ok(path.exists())
}
