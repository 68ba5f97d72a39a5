//! `bulkhead chaos toxiproxy`: proxies that Toxiproxy's clients drive.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use bulkhead_lab::{Toxiproxy, ToxiproxyOptions};

use crate::interrupt::Interrupt;
use crate::load::positive_duration;

/// Serve the HTTP API of Toxiproxy 2: TCP proxies with faults of the byte stream
///
/// Toxiproxy's clients and Chaos Toolkit's `chaostoxi` work unchanged. Toxics: latency, bandwidth,
/// slow_close, timeout, reset_peer, slicer, limit_data, noop; a disabled proxy is down. All are taken
/// back when their life is over, and end with this process. Loss of packets cannot be had here,
/// above TCP: a toxic `packet_loss` is refused.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bulkhead chaos toxiproxy
  bulkhead chaos toxiproxy --gateway 127.0.0.1:9901
  bulkhead chaos toxiproxy --listen 127.0.0.1:8474 --config toxiproxy.json --toxic-life 60s
  curl -d '{\"name\":\"web\",\"listen\":\"127.0.0.1:8001\",\"upstream\":\"127.0.0.1:9000\"}' \\
      http://127.0.0.1:8474/proxies
  curl -d '{\"type\":\"latency\",\"attributes\":{\"latency\":200,\"jitter\":50},\"ttl_ms\":30000}' \\
      http://127.0.0.1:8474/proxies/web/toxics")]
pub(crate) struct ToxiproxyArgs {
    /// Address of the API; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8474")]
    listen: SocketAddr,
    /// Proxies to begin with, in Toxiproxy's format: a JSON array of {name, listen, upstream, enabled}
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Show the listeners of a gateway as proxies too; address of its admin server
    ///
    /// Their toxics are faults that the gateway carries out in exchanges (it needs --allow-faults), and are
    /// taken back with this process, or when their life is over.
    #[arg(long, value_name = "ADDR")]
    gateway: Option<SocketAddr>,
    /// Longest life of a toxic, at most 15m; also that of one without `ttl_ms`
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = life)]
    toxic_life: Duration,
    /// Jitter, slices and the connections that a toxic acts on are drawn from it
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

fn life(text: &str) -> Result<Duration, String> {
    let life = positive_duration(text)?;
    match life <= bulkhead_chaos::TIME_TO_LIVE_MAX {
        true => Ok(life),
        false => Err("a fault lives for 15m at most".to_owned()),
    }
}

/// Serves until SIGINT or SIGTERM.
pub(super) fn execute(args: &ToxiproxyArgs) -> anyhow::Result<ExitCode> {
    let interrupt = Interrupt::watch()?;
    let read = |file: &PathBuf| {
        fs::read_to_string(file).with_context(|| format!("read {}", file.display()))
    };
    let server = Toxiproxy::start(ToxiproxyOptions {
        listen: args.listen,
        proxies: args.config.as_ref().map(read).transpose()?,
        life_max: args.toxic_life,
        seed: args.seed,
        gateway: args.gateway,
    })
    .with_context(|| format!("serve the API on {}", args.listen))?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "toxiproxy API on http://{}", server.address()).context("write to stdout")?;
    while !interrupt.is_set() {
        std::thread::park_timeout(Duration::from_millis(100));
    }
    Ok(ExitCode::SUCCESS)
}
