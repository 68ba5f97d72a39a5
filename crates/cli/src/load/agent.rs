//! `bulkhead load agent`: lets a coordinator run load from this machine. Who may give a job,
//! and against whom, is said here; what it comes to, by [`plan()`].

mod plan;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use bulkhead_load::LoadOptions;
use bulkhead_load::remote::{
    Agent, AgentError, AgentOptions, AllowedTargets, BoxError, Job, Plan, Secret, WorkloadFactory,
};

use super::machine::CpuTicks;
use super::say;

pub(crate) use plan::plan;

/// How often the end is looked for.
const TURN: Duration = Duration::from_millis(100);

/// Run load from here for a coordinator (`bulkhead load … --agents HOST:PORT`).
///
/// An agent sends what its coordinator tells it to. It listens on this machine alone, unless it has a
/// secret that the coordinator has to have as well. Frames are authenticated by it but not encrypted:
/// whoever sees the network sees the job with its files.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bulkhead load agent
  bulkhead load agent --listen 0.0.0.0:9900 --secret-file agent.secret --allow-target 10.0.0.0/8")]
pub(crate) struct AgentArgs {
    /// Address to listen on; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9900")]
    pub(crate) listen: SocketAddr,
    /// File with the secret that the coordinator has as well, at least 16 bytes
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Network, address or host that may be loaded; may be given several times [default: all]
    #[arg(long = "allow-target", value_name = "CIDR|HOST")]
    pub(crate) allowed: Vec<String>,
}

/// Reads a secret from a file.
pub(crate) fn read_secret(path: &Path) -> anyhow::Result<Secret> {
    let bytes =
        std::fs::read(path).with_context(|| format!("read the secret `{}`", path.display()))?;
    Secret::new(&bytes).with_context(|| format!("take the secret `{}`", path.display()))
}

/// Serves until SIGINT or SIGTERM. `steal_share_max` is the share of stolen CPU time from which on this
/// machine's part is in doubt.
pub(crate) fn execute(args: &AgentArgs, steal_share_max: f64) -> anyhow::Result<ExitCode> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("watch for signals")?;
    }
    let agent = start(args, steal_share_max, plan)?;
    writeln!(std::io::stdout(), "agent listens on {}", agent.address())
        .context("write to stdout")?;
    while !stop.load(Ordering::Relaxed) {
        std::thread::park_timeout(TURN);
    }
    Ok(ExitCode::SUCCESS)
}

/// Listens. `build` makes a run of a job.
pub(super) fn start(
    args: &AgentArgs,
    steal_share_max: f64,
    build: impl Fn(&Job) -> anyhow::Result<(LoadOptions, WorkloadFactory)> + Send + Sync + 'static,
) -> anyhow::Result<Agent> {
    let options = AgentOptions {
        listen: args.listen,
        secret: args.secret_file.as_deref().map(read_secret).transpose()?,
        allowed: AllowedTargets::parse(&args.allowed)
            .map_err(|error| anyhow::anyhow!("--allow-target: {error}"))?,
    };
    let plan = move |job: &Job| -> Result<Plan, BoxError> {
        let (options, workload) = build(job)?;
        let before = CpuTicks::now();
        let doubts = move || {
            let share = CpuTicks::now().steal_share_since(before);
            let stolen = (share > steal_share_max).then(|| {
                let (share, limit) = (share * 100.0, steal_share_max * 100.0);
                format!("{share:.0} % of CPU time was stolen; {limit:.0} % is the limit")
            });
            stolen.into_iter().collect()
        };
        Ok(Plan { options, workload, doubts: Box::new(doubts) })
    };
    Agent::start(options, plan, say).map_err(|error| match error {
        AgentError::Open(_) => {
            anyhow::anyhow!("{error}; give --secret-file, or listen on 127.0.0.1")
        }
        error => error.into(),
    })
}

#[cfg(test)]
mod tests;
