//! The flags of `bulkhead prove`, as typed.

use std::path::PathBuf;
use std::time::Duration;

use bulkhead_lab::LinkKind;

use super::against::PeerName;
use super::profile::Source;
use super::weather::Place;
use crate::chaos::link_kinds;
use crate::load::positive_duration;

/// Kill workers under real traffic, check every answer, and give a verdict.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  bulkhead prove                                   20 s, kills every 3 s, report in bulkhead-report.html
  bulkhead prove --json result.json --rate 10000   a fixed arrival rate, results as JSON as well
  bulkhead prove --profile article                 15 minutes, clients behind 12 % loss and 40 ± 40 ms
  bulkhead prove --link client --loss 2 --delay 20ms --jitter 5ms --congestion cubic
  bulkhead prove --profile article --against haproxy,envoy,nginx,go
  bulkhead prove --duration 5m --kill-interval 10s --workers 16
  bulkhead prove --print-profile article > mine.yaml && bulkhead prove --profile mine.yaml

Exit status: 0 all held, 1 the gateway failed a check, 2 a fault did not take hold (or the command line
is wrong), 3 something was not taken back or did not come back, 4 the run itself failed or saw too little.
Ctrl-C ends early with a partial report.")]
pub(crate) struct ProveArgs {
    /// The storm to start from: `quick`, `standard`, `article`, `soak`, `ddos`, or a file (docs/profile.md)
    #[arg(long, value_name = "NAME|FILE", default_value = Source::DEFAULT, value_parser = Source::find)]
    pub(crate) profile: Source,
    /// Print a built-in profile as a file, and do nothing else.
    #[arg(long, value_name = "NAME", value_parser = Source::built_in, exclusive = true)]
    pub(crate) print_profile: Option<Source>,
    /// Requests per second; without it a short calibration finds a rate that this machine sustains.
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// How long requests are sent: `20s`, `5m`, `1h` [default: the profile's]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Time between kills [default: the profile's]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) kill_interval: Option<Duration>,
    /// Workers of the gateway, at least 2 [default: the profile's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=1024))]
    pub(crate) workers: Option<u16>,
    /// Client connections [default: the profile's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) connections: Option<u16>,
    /// Where packets are lost and delayed; `client` and `upstream` need namespaces [default: the profile's]
    #[arg(long, value_enum, value_name = "PLACE")]
    pub(crate) link: Option<Place>,
    /// Packets lost, in percent of each direction: 12 is 22.6 % of round trips [default: 12]
    #[arg(long, value_name = "PERCENT")]
    pub(crate) loss: Option<f64>,
    /// Middle of the delays of packets towards the server; answers have none [default: 40ms]
    #[arg(long, value_name = "TIME", value_parser = delay)]
    pub(crate) delay: Option<Duration>,
    /// Delays are spread evenly by so much around their middle; order is kept [default: 40ms]
    #[arg(long, value_name = "TIME", value_parser = delay)]
    pub(crate) jitter: Option<Duration>,
    /// Congestion control of TCP on the link, one that the kernel has: `cubic`, `bbr` [default: the kernel's]
    #[arg(long, value_name = "NAME")]
    pub(crate) congestion: Option<String>,
    /// What the ends of the link are: TUN devices, or Ethernet interfaces (veth, AF_PACKET) [default: the
    /// profile's, else tun]
    #[arg(long, value_name = "KIND", value_parser = link_kinds())]
    pub(crate) link_kind: Option<LinkKind>,
    /// The same storm for other gateways, as far as they are installed; their figures stand beside ours.
    #[arg(long, value_enum, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) against: Vec<PeerName>,
    /// Take the rows of others from the --json of an earlier run or piece into this report; may be repeated.
    /// Its storm must be the same: profile, flags, rate, duration, seed.
    #[arg(long, value_name = "FILE")]
    pub(crate) against_from: Vec<PathBuf>,
    /// Leave our own storm out and run those of `--against` alone, at the rate of an earlier run: a long
    /// comparison in pieces. With the same profile, rate and seed the pieces belong together.
    #[arg(long, requires = "against", conflicts_with_all = ["junit", "journal"])]
    pub(crate) peers_only: bool,
    /// Everything random is drawn from it: users, tokens, arrival times, victims [default: from the clock]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Write the results as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the journal of the run, as Chaos Toolkit writes it.
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// Write the checks as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write the report as Markdown.
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Where the HTML report goes.
    #[arg(long, value_name = "FILE", default_value = "bulkhead-report.html")]
    pub(crate) report: PathBuf,
    /// Write no HTML report.
    #[arg(long)]
    pub(crate) no_report: bool,
    /// Leave tokens out: routes without the JWT filter.
    #[arg(long)]
    pub(crate) no_jwt: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (1.0..=10_000_000.0).contains(&rate) => Ok(rate),
        _ => Err("expected requests per second, 1 to 10000000".to_owned()),
    }
}

/// As [`duration`], or `0`.
fn delay(text: &str) -> Result<Duration, String> {
    if matches!(text, "0" | "0ms" | "0s") { Ok(Duration::ZERO) } else { duration(text) }
}

/// A number with a unit: `500ms`, `20s`, `5m`, `1h`. At most a day, in whole milliseconds.
fn duration(text: &str) -> Result<Duration, String> {
    const EXPECTED: &str = "expected a number with a unit: `500ms`, `20s`, `5m`, `1h`, at most 24h";
    let whole_ms = |time: &Duration| time.subsec_micros().is_multiple_of(1_000);
    positive_duration(text).ok().filter(whole_ms).ok_or_else(|| EXPECTED.to_owned())
}

/// The shortest of the forms that [`duration`] reads.
pub(crate) fn format_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        _ if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ if ms.is_multiple_of(1_000) => format!("{}s", ms / 1_000),
        _ => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests;
