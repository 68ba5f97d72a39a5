//! `bulkhead upgrade`: asks a running gateway to start its executable anew in its place.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::run::read_pid_file;

/// How long the admin server may take: as long as an upgrade may.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3600);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Replace the executable of a running gateway
///
/// The gateway starts its executable anew, as it is on disk now and with the same arguments, and
/// passes it all listening sockets. Once the new process serves the old one drains. If the new one
/// does not get ready nothing changes.
///
/// With `--admin` the outcome is awaited; a signal (`--pid`, `--pid-file`) only asks, and the
/// gateway's log tells the rest.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("target").required(true).args(["pid", "pid_file", "admin"])))]
#[command(after_help = "\
Exit status: 0 if the gateway was upgraded, or asked to; 1 if it goes on as it was; 2 if it could not be
asked.

Examples:
  bulkhead upgrade --admin http://127.0.0.1:9901
  bulkhead upgrade --pid-file /run/bulkhead.pid
  bulkhead upgrade --pid 4711")]
pub(crate) struct UpgradeArgs {
    /// Process id of the gateway, or of its supervisor
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(2..))]
    pub(crate) pid: Option<i32>,
    /// File with the process id (`bulkhead run --pid-file`)
    #[arg(long, value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
    /// Its admin server
    #[arg(long, value_name = "URL")]
    pub(crate) admin: Option<String>,
}

pub(crate) fn execute(args: &UpgradeArgs) -> Result<ExitCode> {
    if let Some(url) = &args.admin {
        return through_admin(url);
    }
    let pid = match (&args.pid_file, args.pid) {
        (Some(path), _) => i32::try_from(
            read_pid_file(path).with_context(|| format!("read `{}`", path.display()))?,
        )?,
        (None, Some(pid)) => pid,
        (None, None) => bail!("name a process"),
    };
    // 1 and what is below it address more than one process.
    let target = Pid::from_raw(pid).filter(|_| pid > 1).context("no process id")?;
    kill_process(target, Signal::USR2).with_context(|| format!("signal process {pid}"))?;
    say(&format!("asked process {pid}; its log tells what becomes of it"))
}

fn through_admin(url: &str) -> Result<ExitCode> {
    let authority = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
    let answer = post(authority).with_context(|| format!("ask the admin server at {authority}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer is no HTTP")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    let document: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    match status {
        "200" => say(&format!("process {} serves; the one before it drains", document["pid"])),
        "202" => say("asked the supervisor; its log tells what becomes of it"),
        "409" => {
            let reason = document["reason"].as_str().unwrap_or(body);
            writeln!(std::io::stderr().lock(), "not upgraded: {reason}")?;
            Ok(ExitCode::FAILURE)
        }
        _ => bail!("the admin server at {authority} answered {status}: {}", body.trim()),
    }
}

fn say(text: &str) -> Result<ExitCode> {
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

fn post(authority: &str) -> Result<String> {
    let address = authority.to_socket_addrs()?.next().context("no address")?;
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    let request = format!(
        "POST /upgrade HTTP/1.1\r\nhost: {authority}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}
