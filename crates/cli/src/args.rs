//! The command line, as types. Every command's help ends with examples that work as they stand.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// An edge gateway whose workers may die without a request being lost.
#[derive(Debug, Parser)]
#[command(
    name = "bulkhead",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  bulkhead prove                                                   Put the gateway through a storm
  bulkhead run --listen 127.0.0.1:8080 --upstream http://127.0.0.1:3000
  bulkhead check gateway.yaml && bulkhead run --config gateway.yaml

`bulkhead <COMMAND> --help` explains a command and shows more examples."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Help of each stands with its arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(RunArgs),
    Check(CheckArgs),
    Upgrade(crate::upgrade::UpgradeArgs),
    Prove(crate::prove::ProveArgs),
    Chaos(crate::chaos::ChaosArgs),
    Bench(crate::bench::BenchArgs),
    Load(Box<crate::load::LoadArgs>),
    #[command(about = "Run a small upstream to try the gateway with")]
    Origin(crate::origin::OriginArgs),
    Version(VersionArgs),
    Completions(CompletionsArgs),
}

/// Run the gateway
///
/// Either with a configuration file, or with no file at all: one listener that sends everything to
/// one upstream. Paths in the file are relative to the file.
///
/// SIGTERM and SIGINT drain: no new connections, requests in flight end, then exit with 0; a second
/// signal exits at once. SIGHUP applies the file again; a change of the file is noticed by itself.
/// SIGUSR1 opens the access log anew. A bad file is reported and changes nothing. SIGUSR2 starts the
/// executable anew in place of this process, which hands its listening sockets over and drains.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bulkhead run --config gateway.yaml
  bulkhead run --listen 127.0.0.1:8080 --upstream http://127.0.0.1:3000
  bulkhead run --listen [::1]:8080 --upstream h2c://backend.internal:50051 --workers 4
  bulkhead run --config gateway.yaml --admin 127.0.0.1:9901 --log-format json
  curl http://127.0.0.1:9901/readyz")]
pub(crate) struct RunArgs {
    /// Configuration file (YAML or JSON)
    #[arg(short, long, value_name = "FILE", required_unless_present = "listen")]
    pub(crate) config: Option<PathBuf>,
    /// Address to listen on, without a file
    #[arg(short, long, value_name = "ADDR", conflicts_with = "config", requires = "upstream")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where requests go: http://, https://, h2c:// (HTTP/2 in cleartext) or h2:// (over TLS)
    #[arg(short, long, value_name = "URL", conflicts_with = "config", requires = "listen")]
    pub(crate) upstream: Option<String>,
    /// Number of workers [default: as many as there are CPUs]
    #[arg(short, long, value_name = "N", value_parser = workers)]
    pub(crate) workers: Option<usize>,
    /// Address of the admin server (/metrics, /readyz, …); overrides the file's
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin: Option<SocketAddr>,
    /// Let the admin server inject faults (/faults) and kill workers (POST /workers/{index}/kill)
    #[arg(long)]
    pub(crate) allow_faults: bool,
    /// Write the secrets of TLS sessions to FILE, for Wireshark: whoever reads it reads all traffic
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key_log: Option<PathBuf>,
    /// Stay as a small parent that keeps the listening sockets and starts the gateway again if it dies
    #[arg(long)]
    pub(crate) supervise: bool,
    /// File to write the process id to
    #[arg(long, value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
    /// How long a process may take until it is ready to go on in place of this one
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = crate::load::positive_duration)]
    pub(crate) upgrade_timeout: std::time::Duration,
    /// What is logged to standard error
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t = LogLevel::Info)]
    pub(crate) log_level: LogLevel,
    /// How it is logged
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Plain)]
    pub(crate) log_format: LogFormat,
}

/// Check a configuration file without running it
///
/// Tells everything that is wrong, with file, line, column and the nearest valid name, and checks
/// that the files and environment variables it refers to are there.
///
/// Exit status: 0 if it can be used (perhaps with warnings), 1 if not, 2 if it cannot be read.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bulkhead check gateway.yaml
  bulkhead check gateway.yaml --json | jq '.errors[].message'
  bulkhead check --schema > config.schema.json")]
pub(crate) struct CheckArgs {
    /// Configuration file
    #[arg(value_name = "FILE", required_unless_present = "schema")]
    pub(crate) file: Option<PathBuf>,
    /// Write the result as JSON to standard output
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the JSON Schema of configuration files instead
    #[arg(long, conflicts_with_all = ["file", "json"])]
    pub(crate) schema: bool,
}

/// Tell the version
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bulkhead version
  bulkhead version --json")]
pub(crate) struct VersionArgs {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bulkhead completions bash > ~/.local/share/bash-completion/completions/bulkhead
  bulkhead completions zsh > ~/.zfunc/_bulkhead
  bulkhead completions fish > ~/.config/fish/completions/bulkhead.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// What is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// Only what a human must look at
    Error,
    /// Also what is odd but survived
    Warn,
    /// Also changes of state
    Info,
    /// Everything
    Debug,
}

/// How it is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines to read
    Plain,
    /// One JSON object per line
    Json,
}

fn workers(text: &str) -> Result<usize, String> {
    let most = bulkhead_gateway::WORKERS_MAX;
    match text.parse() {
        Ok(workers) if (1..=most).contains(&workers) => Ok(workers),
        _ => Err(format!("a number from 1 to {most} is expected")),
    }
}

#[cfg(test)]
mod tests;
