//! `bulkhead chaos serve`: the lab at work.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use bulkhead_chaos::{Caller, EngineOptions, Happening, Policy, Role, State};
use bulkhead_lab::{Endpoint, Lab, LabOptions, LinkRequest, serve, socket_path};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use super::otlp::Exporter;
use super::{EXIT_REVERT_FAILED, link, place, registry};
use crate::args::LogFormat;
use crate::interrupt::Interrupt;

/// How long taking everything back may take at the end.
const END_PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether to end.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Run the lab: inject faults on request, verify them, and always take them back
///
/// At the start, whatever an earlier lab has left behind is taken back. SIGTERM and SIGINT take
/// everything back and end the lab; killed, it leaves stopped processes to their guardian and the rest
/// to the next start, or to `bulkhead chaos revert --all`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bulkhead chaos serve
  bulkhead chaos serve --link storm
  bulkhead chaos serve --carriers /run/bulkhead.sock     Where hold-carriers runs as root
  bulkhead chaos serve --listen 127.0.0.1:8475 --policy policy.json
  bulkhead chaos serve --otlp http://127.0.0.1:4318/v1/logs
  bulkhead chaos serve --state /run/bulkhead-chaos --concurrent 8 --log-format json
  curl --unix-socket ~/.local/state/bulkhead/chaos/lab.sock http://lab/v1/events")]
pub(super) struct ServeArgs {
    /// Directory for journal, audit log, lever and socket
    /// [default: bulkhead/chaos in $XDG_STATE_HOME or ~/.local/state; as root, /var/lib/bulkhead/chaos]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Address of the API, in place of the socket in the directory
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Who may do what, when, and what is production (JSON)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Limits and times of the engine (JSON)
    #[arg(long, value_name = "FILE")]
    engine: Option<PathBuf>,
    /// Budget of injections that are alive at a time; overrides the file's
    #[arg(long, value_name = "N")]
    concurrent: Option<usize>,
    /// Hold a link of this name from the start, for network faults; may be repeated
    #[arg(long = "link", value_name = "NAME")]
    links: Vec<String>,
    /// Let faults at interfaces be held by `bulkhead chaos hold-carriers` at this socket, so that the lab needs no
    /// privilege [default: a child of the lab holds them, with the lab's rights]
    #[arg(long, value_name = "SOCKET")]
    carriers: Option<PathBuf>,
    /// Let process.restart run the command of its order: whoever may order it may then do whatever the
    /// lab's user may
    #[arg(long)]
    allow_commands: bool,
    /// Inject nothing, though the injectors say so: a check of the lab itself, in which every injection
    /// must come out as not effective
    #[arg(long)]
    inert: bool,
    /// How changes of state are logged to standard error
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Plain)]
    log_format: LogFormat,
    /// Also tell every change of state to a receiver of OTLP/HTTP logs, such as `http://127.0.0.1:4318/v1/logs`
    /// [default path: /v1/logs]
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
}

pub(super) fn execute(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let interrupt = Interrupt::watch()?;
    let directory = place::state_directory(args.state.clone())?;
    let policy: Policy = read(args.policy.as_ref())?;
    let mut engine: EngineOptions = read(args.engine.as_ref())?;
    engine.concurrent_max = args.concurrent.unwrap_or(engine.concurrent_max);
    let endpoint = match args.listen {
        Some(address) => Endpoint::Tcp(address),
        None => Endpoint::Unix(socket_path(&directory)),
    };
    let seed = u64::from(std::process::id());
    let mut registry = registry(args.allow_commands, args.listen, args.carriers.as_deref())?;
    if args.inert {
        registry = registry.inert();
    }
    let lab = Lab::open(LabOptions { directory, engine, policy, seed }, registry)?;
    let lab = Arc::new(lab);
    log(&lab, args.log_format);
    let links = make_links(&lab, &args.links)?;
    let otlp =
        args.otlp.as_deref().map(|url| Exporter::start(lab.subscribe(0), url)).transpose()?;
    let ready = |endpoint: &Endpoint| {
        let place = match endpoint {
            Endpoint::Unix(path) => format!("unix:{}", path.display()),
            Endpoint::Tcp(address) => format!("http://{address}"),
        };
        // If nobody reads our output the lab serves all the same.
        let _ = writeln!(std::io::stdout(), "chaos lab on {place}");
        for line in &links {
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    };
    let end = async {
        while !interrupt.is_set() {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    };
    let served = serve(&lab, &endpoint, ready, end);
    let left = lab.take_everything_back(END_PATIENCE);
    if let Some(complaint) = otlp.and_then(|otlp| otlp.finish().complaint()) {
        let _ = writeln!(std::io::stderr(), "{complaint}");
    }
    served?;
    if left > 0 {
        let mut stderr = std::io::stderr();
        let _ = writeln!(stderr, "{left} injections could not be taken back; see the audit log");
        return Ok(ExitCode::from(EXIT_REVERT_FAILED));
    }
    Ok(ExitCode::SUCCESS)
}

/// Links that were asked for on the command line, and what is to be said of them.
fn make_links(lab: &Lab, names: &[String]) -> anyhow::Result<Vec<String>> {
    let caller = Caller { name: "serve".to_owned(), role: Role::Operator };
    let make = |name: &String| {
        let made = lab.make_link(&caller, name, &LinkRequest::default())?;
        let (made, _) = made.with_context(|| format!("make the link `{name}`"))?;
        Ok(link::line(&json!(made)))
    };
    names.iter().map(make).collect()
}

/// A file of JSON, or what holds without it.
fn read<T: serde::de::DeserializeOwned + Default>(path: Option<&PathBuf>) -> anyhow::Result<T> {
    let Some(path) = path else { return Ok(T::default()) };
    let what = || format!("read `{}`", path.display());
    let text = std::fs::read_to_string(path).with_context(what)?;
    serde_json::from_str(&text).with_context(what)
}

/// Tells changes of state until the lab is gone.
fn log(lab: &Lab, format: LogFormat) {
    let (kept, mut coming) = lab.subscribe(0);
    let run = move || {
        for happening in &kept {
            tell(happening, format);
        }
        loop {
            match coming.blocking_recv() {
                Ok(happening) => tell(&happening, format),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            }
        }
    };
    // Without a log the lab works all the same.
    let _ = thread::Builder::new().name("lab-log".to_owned()).spawn(run);
}

fn tell(happening: &Happening, format: LogFormat) {
    let line = match format {
        LogFormat::Json => serde_json::to_string(happening).unwrap_or_default(),
        LogFormat::Plain => {
            let state = happening.state;
            // The steps between are for those who ask for everything.
            let telling = state.is_terminal()
                || matches!(state, State::Active | State::Unknown | State::RevertFailed)
                || (state == State::Reverting && happening.detail.is_some());
            if !telling {
                return;
            }
            let detail = happening.detail.as_deref().unwrap_or_default();
            format!("{} {} {state}: {detail}", happening.id, happening.kind)
        }
    };
    let _ = writeln!(std::io::stderr(), "{line}");
}
