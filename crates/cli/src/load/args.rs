//! The flags of `bulkhead load`, as typed.

use std::path::PathBuf;
use std::time::Duration;

use super::assertion::Assertion;

/// Put load on a target and tell how it answered.
///
/// Open loop: requests are sent when the schedule says so, and latency counts from that intended
/// time, so a slow answer cannot hide those that had to wait behind it. Every answer is checked;
/// nothing is retried.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("pace").required(true).args(["rate", "closed"])))]
#[command(after_help = "\
Schemes: http:// (HTTP/1.1), h2c:// (HTTP/2 with prior knowledge). TLS is not there yet.

Assertions: METRIC<VALUE, with <, <=, > or >=.
  p50 p90 p99 p999 max             latency from the intended time, with a unit: us, ms, s
  service_p50 … service_max        the same from the actual send time
  error_rate                       failed of all requests: 0.1% or 0.001
  throughput                       right answers per second
  failed unsent late               requests

Examples:
  bulkhead load h2c://127.0.0.1:9000/api/v1/7/feed --rate 10000 --duration 10s
  bulkhead load 'http://127.0.0.1:9000/api/v1/{user:uniform(1,1000000)}/feed' --rate 500 --seed 7
  bulkhead load h2c://127.0.0.1:9000/feed.v1.Feed/Get --grpc --body @message.bin --rate 1000
  bulkhead load http://127.0.0.1:9000/ --rate 200 --assert 'p99<10ms' --assert 'error_rate<0.1%'
  bulkhead load http://127.0.0.1:9000/ --closed --connections 50      capacity, never latency

Exit status: 0 done and every assertion held, 1 an assertion failed, 2 could not be run, 3 the run is
invalid: the generator or the machine was the limit, so its figures say nothing about the target.
Ctrl-C ends early with a report of what was seen.")]
pub(crate) struct LoadArgs {
    /// Where to; the path may hold placeholders: {name:uniform(1,1000)}
    #[arg(value_name = "URL")]
    pub(crate) url: String,
    /// Requests per second over all connections
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Send the next request when an earlier one has ended; does not measure what it waits for
    #[arg(long)]
    pub(crate) closed: bool,
    /// How long requests are sent: 500ms, 10s, 5m, 1h
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive)]
    pub(crate) duration: Duration,
    /// Connections
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) connections: u32,
    /// Requests in flight per HTTP/2 connection at most [default: 100; 1 with --closed]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) streams: Option<u32>,
    /// Method [default: GET; POST with a body]
    #[arg(long, value_name = "METHOD", conflicts_with = "grpc")]
    pub(crate) method: Option<String>,
    /// Header field, as `name: value`; may be given several times
    #[arg(long = "header", value_name = "FIELD")]
    pub(crate) headers: Vec<String>,
    /// Body: the text itself, or @FILE
    #[arg(long, value_name = "TEXT|@FILE")]
    pub(crate) body: Option<String>,
    /// Call gRPC: the body is sent as one message; right is only grpc-status 0
    #[arg(long)]
    pub(crate) grpc: bool,
    /// A request without its whole answer so long after its intended time has failed
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = positive)]
    pub(crate) timeout: Duration,
    /// Load before the measured part, on connections of its own and not counted; 0s: none
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub(crate) warmup: Duration,
    /// How the gaps between requests are distributed
    #[arg(long, value_enum, default_value_t = ArrivalsArg::Constant, conflicts_with = "closed")]
    pub(crate) arrivals: ArrivalsArg,
    /// Arrival times and placeholders are drawn from it [default: from the clock]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// The status that is right [default: any 2xx]
    #[arg(long, value_name = "CODE", value_parser = clap::value_parser!(u16).range(200..=599))]
    pub(crate) expect_status: Option<u16>,
    /// Write the results as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write a line per second as CSV
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// What must hold, or the exit status is 1; may be given several times
    #[arg(long = "assert", value_name = "ASSERTION", value_parser = Assertion::parse)]
    pub(crate) assertions: Vec<Assertion>,
}

/// Distribution of the gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ArrivalsArg {
    /// All the same
    Constant,
    /// Exponential, as from many independent clients
    Poisson,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.1..=10_000_000.0).contains(&rate) => Ok(rate),
        _ => Err("expected requests per second, 0.1 to 10000000".to_owned()),
    }
}

fn positive(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|time| {
        if time.is_zero() { Err("expected more than nothing".to_owned()) } else { Ok(time) }
    })
}

/// A number with a unit; at most a day.
fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a number with a unit: `500ms`, `10s`, `5m`, `1h`".to_owned();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(expected()),
    };
    let ms = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_ms));
    ms.filter(|&ms| ms <= 86_400_000).map(Duration::from_millis).ok_or_else(expected)
}
