//! `bulkhead origin`: the embedded upstream by itself, to try the gateway against.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use bulkhead_origin::{Origin, OriginOptions};

/// Serves predictable answers over HTTP/1.1 and HTTP/2 (prior knowledge) on one port:
/// `/api/v1/{user_id}/feed` (1 KB of JSON), gRPC `/feed.v1.Feed/{Get,Watch,Upload,Chat}` with server
/// reflection, `/echo`, `/collect` (the same, once the body is whole), `/headers`, `/session`, `/status/{code}`, `/delay/{ms}`, `/busy/{ms}`
/// (like `/delay`, but only so many at once as there are slots), `/bytes/{count}`, `/reset`, `/close`; WebSocket over HTTP/1.1: `/ws` (echo), `/ws-wrong`, `/ws-silent`,
/// `/ws-close/{n}`, `/ws-cut/{n}`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  bulkhead origin --listen 127.0.0.1:9000 &
  bulkhead run --listen 127.0.0.1:8080 --upstream h2c://127.0.0.1:9000 &
  curl http://127.0.0.1:8080/api/v1/7/feed")]
pub(crate) struct OriginArgs {
    /// Address to listen on; port 0 lets the system choose.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// Threads.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// How many `/busy/{ms}` each thread does at once; the others wait in a queue without end.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    slots: u16,
}

/// Serves until SIGINT or SIGTERM.
pub(crate) fn execute(args: &OriginArgs) -> anyhow::Result<ExitCode> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("watch for signals")?;
    }
    let options = OriginOptions {
        address: args.listen,
        threads: usize::from(args.threads),
        slots: usize::from(args.slots),
        ..OriginOptions::default()
    };
    let origin = Origin::start(options)?;
    writeln!(std::io::stdout(), "origin listens on {}", origin.addr())
        .context("write to stdout")?;
    while !stop.load(Ordering::Relaxed) {
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let requests = origin.stats().requests_total();
    origin.stop();
    writeln!(std::io::stdout(), "origin ends after {requests} requests")
        .context("write to stdout")?;
    Ok(ExitCode::SUCCESS)
}
