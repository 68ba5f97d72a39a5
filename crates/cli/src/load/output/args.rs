//! The flags that say what a run leaves behind and what it shows.

use std::path::PathBuf;

/// To be flattened into those of the command.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Write a report with charts as one HTML file
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write the latency distribution as HdrHistogram percentile text
    #[arg(long, value_name = "FILE")]
    pub(crate) hgrm: Option<PathBuf>,
    /// Write a latency histogram per second as HdrHistogram interval log, while the run goes on
    #[arg(long, value_name = "FILE")]
    pub(crate) hdr_log: Option<PathBuf>,
    /// Write the assertions as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Send metrics each second by Prometheus remote write, without TLS
    #[arg(long, value_name = "URL")]
    pub(crate) remote_write: Option<String>,
    /// Send metrics each second by OTLP/HTTP in JSON, without TLS
    #[arg(long, value_name = "URL")]
    pub(crate) otlp: Option<String>,
    /// Label on all metrics that are sent; may be given several times
    #[arg(long = "label", value_name = "NAME=VALUE")]
    pub(crate) labels: Vec<String>,
    /// Print lines, and draw no screen even on a terminal
    #[arg(long)]
    pub(crate) plain: bool,
}
