//! `bulkhead chaos exec`: starts a program at an end of a link.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use bulkhead_lab::LinkPlace;
use clap::ValueEnum;

use super::link;
use super::place::PlaceArgs;

/// Run a program at an end of a link
///
/// It takes the place of this process, in the network of that end, where it sees the link and nothing
/// else; files and processes are the usual ones. Where the link was made without root, the program sees
/// itself as root, and is that only over the link's networks.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status: that of the program; 4 it could not be started.

Examples:
  bulkhead chaos exec --link storm --end server -- bulkhead origin --listen 10.83.0.2:8080
  bulkhead chaos exec --link storm --end client -- curl http://10.83.0.2:8080/
  bulkhead chaos exec --link storm --end client -- sh")]
pub(super) struct ExecArgs {
    /// Which link
    #[arg(long, value_name = "NAME")]
    link: String,
    /// Which of its ends
    #[arg(long, value_name = "END", value_enum)]
    end: End,
    #[command(flatten)]
    place: PlaceArgs,
    /// The program, and its arguments
    #[arg(value_name = "COMMAND", required = true, last = true)]
    command: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum End {
    /// Where clients are
    Client,
    /// Where servers are
    Server,
}

pub(super) fn execute(args: &ExecArgs) -> anyhow::Result<ExitCode> {
    let client = args.place.client()?;
    let document = client.must_ask("GET", &link::path(&args.link)?, "")?.document()?;
    if document["up"] != true {
        bail!("the link `{0}` is gone; make it anew with `bulkhead chaos link add {0}`", args.link);
    }
    let place: LinkPlace = serde_json::from_value(document).context("read the link's place")?;
    let end = match args.end {
        End::Client => &place.client,
        End::Server => &place.server,
    };
    place.enter(end).with_context(|| format!("enter the link `{}`", args.link))?;
    let (program, arguments) = args.command.split_first().context("name a program")?;
    let error = Command::new(program).args(arguments).exec();
    // Not as a cause: the advice of one that finds no file is about other paths.
    bail!("start `{}`: {error}; check its name, and whether PATH has it", program.display())
}
