//! The flags of `bulkhead load`, as typed.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use bulkhead_load::{Phase, Process};

use super::agent::AgentArgs;
use super::assertion::Assertion;
use super::coordinator::AgentsArgs;
use super::find_max::Objective;
use super::grpc;
use super::mix::Mix;
use super::output::OutputArgs;
use super::stages;

/// Put load on a target and tell how it answered.
///
/// Open loop: requests are sent when the schedule says so, and latency counts from that intended
/// time, so a slow answer cannot hide those that had to wait behind it. Every answer is checked;
/// nothing is retried unless asked for.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("pace").args(["rate", "closed", "stages", "find_max"])))]
#[command(group(clap::ArgGroup::new("file").args(["scenario", "har", "replay", "openapi"])))]
#[command(after_help = "\
Schemes: http:// and https:// (HTTP/1.1), h2c:// and h2:// (HTTP/2, in cleartext and over TLS), ws://
and wss:// (WebSocket: each request is a message, and its right answer is its echo).

Assertions: METRIC<VALUE, with <, <=, > or >=.
  p50 p90 p99 p999 max             latency from the intended time, with a unit: us, ms, s
  service_p50 … service_max        the same from the actual send time
  error_rate                       failed of all requests: 0.1% or 0.001
  throughput                       right answers per second
  failed unsent late               requests

Examples:
  bulkhead load h2c://127.0.0.1:9000/api/v1/7/feed --rate 10000 --duration 10s
  bulkhead load 'http://127.0.0.1:9000/api/v1/{user:uniform(1,1000000)}/feed' --rate 500 --seed 7
  bulkhead load h2c://127.0.0.1:9000/ --stages 100:10s,100..2000:30s,2000:10s --arrivals poisson
  bulkhead load h2c://127.0.0.1:9000/feed.v1.Feed/Get --grpc --body @message.bin --rate 1000
  bulkhead load h2c://127.0.0.1:9000/api/v1/7/feed --mix http2=72,grpc=28 --rate 5000 \\
      --grpc-path /feed.v1.Feed/Get --grpc-body @message.bin
  bulkhead load h2c://127.0.0.1:9000/feed.v1.Feed/Get --grpc --reflection --rate 1000 \\
      --body '{\"user_id\": \"{user:uniform(1,1000000)}\"}'
  bulkhead load ws://127.0.0.1:9000/ws --rate 1000 --connections 50 --body hello
  bulkhead load https://127.0.0.1:8443/ --cacert ca.pem --rate 200 --connects-per-second 50
  bulkhead load --scenario examples/load/mixed.yaml
  bulkhead load http://127.0.0.1:9000 --replay access.log --speed 2
  bulkhead load http://127.0.0.1:9000 --openapi api.yaml --rate 100
  bulkhead load http://127.0.0.1:9000/ --rate 200 --assert 'p99<10ms' --assert 'error_rate<0.1%'
  bulkhead load h2c://127.0.0.1:9000/ --find-max 'p99<5ms,error_rate<0.1%' --duration 5s
  bulkhead load h2c://10.0.0.9/ --rate 200000 --agents 10.0.0.1:9900,10.0.0.2:9900 \\
      --agent-secret-file agent.secret
  bulkhead load http://127.0.0.1:9000/ --closed --connections 50      capacity, never latency

Exit status: 0 done and every assertion held (or a highest rate found), 1 an assertion failed, 2 could not be run, 3 the run is
invalid: the generator or the machine was the limit, so its figures say nothing about the target.
Ctrl-C ends early with a report of what was seen.")]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct LoadArgs {
    #[command(subcommand)]
    pub(crate) command: Option<LoadCommand>,
    /// Where to; the path may hold placeholders: {name:uniform(1,1000)}. Beside a file: in place of the
    /// servers that it names
    #[arg(value_name = "URL", required_unless_present = "file")]
    pub(crate) url: Option<String>,

    /// Requests, pace and targets from a YAML scenario
    #[arg(long, value_name = "FILE", conflicts_with_all = ["stages", "find_max"], help_heading = "Requests from files")]
    pub(crate) scenario: Option<PathBuf>,
    /// What a browser recorded (HAR)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["stages", "find_max"], help_heading = "Requests from files")]
    pub(crate) har: Option<PathBuf>,
    /// What an access log tells, of Bulkhead or in the Common or Combined Log Format
    #[arg(long, value_name = "FILE", requires = "url", conflicts_with_all = ["stages", "find_max"], help_heading = "Requests from files")]
    pub(crate) replay: Option<PathBuf>,
    /// The operations of an OpenAPI description
    #[arg(long, value_name = "FILE", conflicts_with_all = ["stages", "find_max"], help_heading = "Requests from files")]
    pub(crate) openapi: Option<PathBuf>,
    /// So many times as fast as it was recorded
    #[arg(long, value_name = "N", value_parser = speed, conflicts_with_all = ["rate", "closed", "scenario", "openapi"], help_heading = "Requests from files")]
    pub(crate) speed: Option<f64>,
    /// Send what changes things, too: POST, PUT, PATCH, DELETE
    #[arg(
        long,
        requires = "file",
        conflicts_with = "scenario",
        help_heading = "Requests from files"
    )]
    pub(crate) all_methods: bool,
    /// Take any status below 400 for right, not only the recorded one
    #[arg(long, requires = "file", conflicts_with_all = ["scenario", "openapi"], help_heading = "Requests from files")]
    pub(crate) any_success: bool,

    /// Requests per second over all connections
    #[arg(long, value_name = "N", value_parser = rate, required_unless_present_any = ["closed", "stages", "find_max", "file"], help_heading = "Pace")]
    pub(crate) rate: Option<f64>,
    /// Rates over time: RATE:DURATION or FROM..TO:DURATION, divided by commas
    #[arg(long, value_name = "STAGES", value_parser = parse_stages, conflicts_with = "duration", help_heading = "Pace")]
    pub(crate) stages: Option<Stages>,
    /// Send the next request when an earlier one has ended; does not measure what it waits for
    #[arg(long, help_heading = "Pace")]
    pub(crate) closed: bool,
    /// Find the highest rate at which these assertions, divided by commas, hold
    #[arg(long, value_name = "OBJECTIVE", value_parser = Objective::parse, conflicts_with = "agents", help_heading = "Pace")]
    pub(crate) find_max: Option<Objective>,
    /// With --find-max: rate of the first trial; each trial is as long as --duration
    #[arg(long, value_name = "N", default_value = "100", value_parser = rate, requires = "find_max", help_heading = "Pace")]
    pub(crate) find_max_start: f64,
    /// With --find-max: time of all trials at most
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = positive, requires = "find_max", help_heading = "Pace")]
    pub(crate) find_max_time: Duration,
    /// With --closed: time from an answer to the next request
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration, conflicts_with_all = ["rate", "stages"], help_heading = "Pace")]
    pub(crate) think: Duration,
    /// How long is measured: 500ms, 10s, 5m, 1h [default: 10s, or as the file says]
    #[arg(long, value_name = "TIME", value_parser = positive, help_heading = "Pace")]
    pub(crate) duration: Option<Duration>,
    /// Load before the measured part, not counted [default: 1s; none with --stages, of which it is a part]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Pace")]
    pub(crate) warmup: Option<Duration>,
    /// Load after the measured part, not counted; with --stages a part of them [default: none]
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Pace")]
    pub(crate) cooldown: Option<Duration>,
    /// How the gaps between requests are distributed [default: constant, or as the file says]
    #[arg(long, value_enum, conflicts_with = "closed", help_heading = "Pace")]
    pub(crate) arrivals: Option<ArrivalsArg>,
    /// Times are moved up to multiples of it, so that requests share a wake-up; latency counts from
    /// the moved time. 0s: each at its own time, at several times the CPU time of the generator
    #[arg(long, value_name = "TIME", default_value = "500us", value_parser = duration, conflicts_with = "closed", help_heading = "Pace")]
    pub(crate) tick: Duration,
    /// Arrival times and placeholders are drawn from it [default: from the clock]
    #[arg(long, value_name = "N", help_heading = "Pace")]
    pub(crate) seed: Option<u64>,
    /// Threads of the generator [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256), help_heading = "Pace")]
    pub(crate) threads: Option<u32>,

    /// Connections, to each target of a mix [default: 10, or as the file says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = "Connections")]
    pub(crate) connections: Option<u32>,
    /// Requests in flight per HTTP/2 connection at most [default: 100; 1 with --closed]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000), help_heading = "Connections")]
    pub(crate) streams: Option<u32>,
    /// Mean life of a connection, which is then replaced
    #[arg(long, value_name = "TIME", value_parser = positive, conflicts_with = "connects_per_second", help_heading = "Connections")]
    pub(crate) connection_life: Option<Duration>,
    /// New connections per second, in place of as many old ones
    #[arg(long, value_name = "N", value_parser = rate, help_heading = "Connections")]
    pub(crate) connects_per_second: Option<f64>,
    /// Requests on a connection, which is then replaced
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Connections")]
    pub(crate) requests_per_connection: Option<u64>,
    /// Local address to connect from; several are taken in turn
    #[arg(long = "source", value_name = "IP", help_heading = "Connections")]
    pub(crate) sources: Vec<IpAddr>,
    /// Connect there, whatever the URL says; what is sent stays the same
    #[arg(long, value_name = "HOST:PORT", help_heading = "Connections")]
    pub(crate) connect_to: Option<String>,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,

    /// Several kinds of requests by weight: http1, http2, grpc, websocket
    #[arg(long, value_name = "KIND=WEIGHT,…", value_parser = Mix::parse, conflicts_with = "grpc", help_heading = "Requests")]
    pub(crate) mix: Option<Mix>,
    /// Method [default: GET; POST with a body]
    #[arg(long, value_name = "METHOD", conflicts_with = "grpc", help_heading = "Requests")]
    pub(crate) method: Option<String>,
    /// Header field, as `name: value`; may be given several times
    #[arg(long = "header", value_name = "FIELD", help_heading = "Requests")]
    pub(crate) headers: Vec<String>,
    /// Body: the text itself, or @FILE
    #[arg(long, value_name = "TEXT|@FILE", help_heading = "Requests")]
    pub(crate) body: Option<String>,
    /// Call gRPC: the body is sent as one message, or is JSON if there are descriptors; right is only
    /// grpc-status 0
    #[arg(long, help_heading = "Requests")]
    pub(crate) grpc: bool,
    /// Path of the gRPC method in a mix: /package.Service/Method
    #[arg(long, value_name = "PATH", requires = "mix", help_heading = "Requests")]
    pub(crate) grpc_path: Option<String>,
    /// Message of the gRPC call in a mix
    #[arg(long, value_name = "TEXT|@FILE", requires = "grpc_path", help_heading = "Requests")]
    pub(crate) grpc_body: Option<String>,
    #[command(flatten)]
    pub(crate) grpc_source: GrpcArgs,
    /// Messages that a gRPC answer must have
    #[arg(long, value_name = "N", requires = "descriptors", help_heading = "Requests")]
    pub(crate) expect_messages: Option<usize>,
    /// Messages that a gRPC answer must have, as JSON
    #[arg(long, value_name = "TEXT|@FILE", requires = "descriptors", help_heading = "Requests")]
    pub(crate) expect_json: Option<String>,
    /// Path of the WebSocket in a mix
    #[arg(long, value_name = "PATH", requires = "mix", help_heading = "Requests")]
    pub(crate) ws_path: Option<String>,
    /// A request without its whole answer so long after its intended time has failed [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = positive, help_heading = "Requests")]
    pub(crate) timeout: Option<Duration>,
    /// How often a request is sent again whose answer never came whole; counted apart [default: 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100), help_heading = "Requests")]
    pub(crate) retries: Option<u32>,
    /// The status that is right [default: any 2xx]
    #[arg(long, value_name = "CODE", value_parser = clap::value_parser!(u16).range(200..=599), help_heading = "Requests")]
    pub(crate) expect_status: Option<u16>,
    /// The body that is right, byte by byte [default: any that came whole]
    #[arg(long, value_name = "TEXT|@FILE", conflicts_with = "mix", help_heading = "Requests")]
    pub(crate) expect_body: Option<String>,

    /// Write the results as JSON; `-`: to standard output, and the summary to standard error
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) json: Option<PathBuf>,
    /// Write a line per second as CSV
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) csv: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) agents: AgentsArgs,
    /// What must hold, or the exit status is 1; may be given several times
    #[arg(long = "assert", value_name = "ASSERTION", value_parser = Assertion::parse, help_heading = "Output")]
    pub(crate) assertions: Vec<Assertion>,
}

/// What else `load` does.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum LoadCommand {
    Agent(AgentArgs),
}

/// Where gRPC descriptors come from, so that messages can be written as JSON.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Requests")]
#[group(id = "descriptors", multiple = false, args = ["descriptor_set", "proto", "reflection"])]
pub(crate) struct GrpcArgs {
    /// gRPC descriptors: what `protoc --include_imports --descriptor_set_out` wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) descriptor_set: Option<PathBuf>,
    /// gRPC descriptors: this .proto file; several may be given
    #[arg(long, value_name = "FILE")]
    pub(crate) proto: Vec<PathBuf>,
    /// Folder in which imports of .proto files are looked up [default: those of the files]
    #[arg(long, value_name = "DIR", requires = "proto")]
    pub(crate) proto_path: Vec<PathBuf>,
    /// gRPC descriptors: the server tells them (server reflection)
    #[arg(long)]
    pub(crate) reflection: bool,
}

impl GrpcArgs {
    /// What was chosen.
    pub(crate) fn source(&self) -> Option<grpc::Source> {
        Some(match (&self.descriptor_set, &*self.proto) {
            (Some(file), _) => grpc::Source::DescriptorSet(file.clone()),
            (None, files @ [_, ..]) => {
                grpc::Source::Proto { files: files.to_vec(), folders: self.proto_path.clone() }
            }
            (None, []) if self.reflection => grpc::Source::Reflection,
            (None, []) => return None,
        })
    }
}

/// TLS, for https:// and h2://.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsArgs {
    /// Trust the authorities in this PEM file instead of the public web's
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,
    /// Accept any certificate
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Certificate chain to show to a server that asks for one (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Name that the certificate must have, sent as SNI [default: the URL's host]
    #[arg(long, value_name = "NAME")]
    pub(crate) tls_name: Option<String>,
    /// Make a full handshake for each connection: resume no session
    #[arg(long)]
    pub(crate) no_tls_resume: bool,
}

/// Rates over time. A type of its own, since a list of phases would be taken as many values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stages(pub(crate) Vec<Phase>);

/// The longest time of a flag, in microseconds.
const DAY_US: u64 = 86_400_000_000;

/// Distribution of the gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ArrivalsArg {
    /// All the same
    Constant,
    /// Exponential, as from many independent clients
    Poisson,
}

impl ArrivalsArg {
    pub(crate) const fn process(self) -> Process {
        match self {
            Self::Constant => Process::Constant,
            Self::Poisson => Process::Poisson,
        }
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.001..=1_000.0).contains(&speed) => Ok(speed),
        _ => Err("expected a factor, 0.001 to 1000".to_owned()),
    }
}

fn parse_stages(text: &str) -> Result<Stages, String> {
    stages::parse(text).map(Stages)
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.1..=10_000_000.0).contains(&rate) => Ok(rate),
        _ => Err("expected requests per second, 0.1 to 10000000".to_owned()),
    }
}

pub(crate) fn positive(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|time| {
        if time.is_zero() { Err("expected more than nothing".to_owned()) } else { Ok(time) }
    })
}

/// A number with a unit; at most a day.
fn duration(text: &str) -> Result<Duration, String> {
    let expected =
        || "expected a number with a unit: `500us`, `20ms`, `10s`, `5m`, `1h`".to_owned();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_us = match unit {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        _ => return Err(expected()),
    };
    let us = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_us));
    us.filter(|&us| us <= DAY_US).map(Duration::from_micros).ok_or_else(expected)
}
