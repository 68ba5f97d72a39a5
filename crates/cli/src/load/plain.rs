//! From the flags to a run: targets, classes, schedule, and the requests to send.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use bulkhead_load::{
    Arrivals, Class, LoadOptions, Process, Protocol, Schedule, TargetOptions, Timing, Workload,
};
use bulkhead_scenario::{Endpoint, TlsSettings};

use super::args::{ArrivalsArg, LoadArgs};
use super::echo::EchoWorkload;
use super::grpc::{self, GrpcWorkload};
use super::mix::{Kind, Mix, MixedWorkload, PartWorkload};
use super::target::Target;
use super::tls;
use super::workload::{self, PlainWorkload};

/// Streams per HTTP/2 connection in an open loop, unless told.
pub(crate) const STREAMS: u32 = 100;
/// Connections, unless told.
pub(crate) const CONNECTIONS: u32 = 10;
/// Measured part, unless told.
pub(crate) const DURATION: Duration = Duration::from_secs(10);
/// Warm-up, unless told.
const WARMUP: Duration = Duration::from_secs(1);

/// What is to be run, wherever it comes from.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) options: LoadOptions,
    /// Makes the workload of a thread.
    pub(crate) workload: Arc<dyn Fn(usize) -> Box<dyn Workload> + Send + Sync>,
    /// What is loaded, for people.
    pub(crate) description: String,
}

/// Puts the flags together; reads the files that they name, looks the host up, and asks it for gRPC
/// descriptors if it is to tell them.
pub(crate) fn source(args: &LoadArgs, url: &str, seed: u64) -> anyhow::Result<Source> {
    let mut target = Target::parse(url)?;
    if let Some(endpoint) = &args.connect_to {
        target.connect_to(endpoint);
    }
    let kinds = match &args.mix {
        Some(mix) => mix.clone(),
        None => Mix(vec![(kind_of(args, &target), 1.0)]),
    };
    let mut targets: Vec<TargetOptions> = Vec::new();
    let (mut parts, mut classes) = (Vec::new(), Vec::new());
    for (class, &(kind, weight)) in kinds.0.iter().enumerate() {
        let protocol = match kind {
            Kind::Http1 => Protocol::Http1,
            Kind::Http2 | Kind::Grpc => Protocol::Http2,
            Kind::WebSocket => Protocol::WebSocket,
        };
        let known = targets.iter().position(|known| known.protocol == protocol);
        let index = known.unwrap_or(targets.len());
        if known.is_none() {
            targets.push(target_options(args, &target, protocol)?);
        }
        let name = if args.mix.is_some() { kind.name() } else { "request" };
        classes.push(Class { name: name.to_owned(), target: index });
        let part = part(args, &target, &targets[index], kind, class, seed)?;
        parts.push((weight, part));
    }
    let options = options(args, targets, classes, seed)?;
    let workload: Arc<dyn Fn(usize) -> Box<dyn Workload> + Send + Sync> = match &*parts {
        [(_, PartWorkload::Plain(only))] => {
            let only = only.clone();
            Arc::new(move |_| Box::new(only.clone()))
        }
        _ => {
            let mixed = MixedWorkload::new(parts, seed);
            Arc::new(move |_| Box::new(mixed.clone()))
        }
    };
    Ok(Source { options, workload, description: url.to_owned() })
}

/// The requests of one kind.
fn part(
    args: &LoadArgs,
    target: &Target,
    options: &TargetOptions,
    kind: Kind,
    class: usize,
    seed: u64,
) -> anyhow::Result<PartWorkload> {
    let described = args.grpc_source.source();
    Ok(match (kind, described) {
        (Kind::WebSocket, _) => PartWorkload::Echo(match args.body.as_deref() {
            None => EchoWorkload::numbered(class),
            Some(text) if text.starts_with('@') => {
                EchoWorkload::bytes(workload::read_body(text)?, class)
            }
            Some(text) => EchoWorkload::text(text, seed, class)?,
        }),
        (Kind::Grpc, Some(source)) => {
            PartWorkload::Grpc(described_call(args, target, options, &source, class, seed)?)
        }
        _ => PartWorkload::Plain(PlainWorkload::new(args, target.clone(), kind, seed)?),
    })
}

/// A gRPC call whose messages are JSON.
fn described_call(
    args: &LoadArgs,
    target: &Target,
    options: &TargetOptions,
    source: &grpc::Source,
    class: usize,
    seed: u64,
) -> anyhow::Result<GrpcWorkload> {
    let mut target = target.clone();
    let headers = workload::headers(args, &mut target)?;
    let (path, body) = match &args.mix {
        Some(_) => (args.grpc_path.as_deref(), args.grpc_body.as_deref()),
        None => (target.path.fixed(), args.body.as_deref()),
    };
    let path = path.context("the path of a gRPC call is /package.Service/Method")?;
    let data = workload::read_body(body.unwrap_or("{}"))?;
    let data = String::from_utf8(data).context("the gRPC message is JSON, but not UTF-8")?;
    let server =
        grpc::Server { target: options, authority: &target.endpoint.authority, headers: &headers };
    let mut call = grpc::resolve(source, server, path, &data, seed)?;
    let (kind, messages) = (call.method.kind(), call.messages);
    super::say(&format!("{} is {kind:?}, with {messages} messages in each call", call.path));
    if let Some(count) = args.expect_messages {
        call.expect_count(count);
    }
    if let Some(json) = &args.expect_json {
        let json = String::from_utf8(workload::read_body(json)?);
        call.expect_messages(&json.context("the expected messages are JSON, but not UTF-8")?)?;
    }
    Ok(GrpcWorkload::new(call, server, class))
}

const fn kind_of(args: &LoadArgs, target: &Target) -> Kind {
    match target.endpoint.protocol {
        _ if args.grpc => Kind::Grpc,
        Protocol::Http1 => Kind::Http1,
        Protocol::Http2 => Kind::Http2,
        Protocol::WebSocket => Kind::WebSocket,
    }
}

fn target_options(
    args: &LoadArgs,
    target: &Target,
    protocol: Protocol,
) -> anyhow::Result<TargetOptions> {
    let streams = match protocol {
        Protocol::Http1 => 1,
        // Messages that wait for their echo, with WebSocket.
        Protocol::Http2 | Protocol::WebSocket => {
            args.streams.unwrap_or(if args.closed { 1 } else { STREAMS })
        }
    };
    let connections = args.connections.unwrap_or(CONNECTIONS) as usize;
    let endpoint = Endpoint { protocol, ..target.endpoint.clone() };
    let tls = tls::target(&endpoint, &TlsSettings::default(), Some(&args.tls))?;
    // So many connections that each lives so long, to have so many new ones per second.
    let by_rate = args.connects_per_second.map(|rate| connections as f64 / rate);
    let websocket =
        (protocol == Protocol::WebSocket).then(|| workload::upgrade(args, target)).transpose()?;
    Ok(TargetOptions {
        websocket,
        tls,
        connections,
        connection_life: args.connection_life.or_else(|| by_rate.map(Duration::from_secs_f64)),
        connection_requests_max: args.requests_per_connection,
        streams_max: streams as usize,
        sources: args.sources.clone(),
        ..TargetOptions::new(target.address()?, protocol)
    })
}

fn options(
    args: &LoadArgs,
    targets: Vec<TargetOptions>,
    classes: Vec<Class>,
    seed: u64,
) -> anyhow::Result<LoadOptions> {
    let process = args.arrivals.map_or(Process::Constant, ArrivalsArg::process);
    let in_flight: usize =
        targets.iter().map(|target| target.connections * target.streams_max).sum();
    let mut duration = args.duration.unwrap_or(DURATION);
    let mut warmup = args.warmup.unwrap_or(WARMUP);
    let cooldown = args.cooldown.unwrap_or_default();
    let arrivals = match (&args.rate, &args.stages) {
        (Some(rate), _) => {
            Arrivals::Open(Schedule::constant(*rate, process, seed).with_tick(args.tick))
        }
        (None, Some(stages)) => {
            let timing = Timing::Phases { phases: stages.0.clone(), process };
            let schedule = Schedule { timing, tick: args.tick, seed };
            let whole = schedule.duration().unwrap_or_default();
            // The stages are the whole run: warm-up and cool-down are parts of them, if asked for.
            warmup = args.warmup.unwrap_or_default();
            ensure!(
                warmup + cooldown < whole,
                "warm-up and cool-down are {:?} and the stages are {whole:?} in all: nothing is \
                 left to measure",
                warmup + cooldown
            );
            duration = whole - warmup - cooldown;
            Arrivals::Open(schedule)
        }
        (None, None) if args.closed => Arrivals::Closed { in_flight, think: args.think },
        // A search gives each trial a rate.
        (None, None) => {
            let schedule = Schedule::constant(args.find_max_start, process, seed);
            Arrivals::Open(schedule.with_tick(args.tick))
        }
    };
    let mut options = LoadOptions::new(
        TargetOptions::new(targets[0].address, Protocol::Http1),
        arrivals,
        duration,
    );
    options.targets = targets;
    options.classes = classes;
    options.threads = args.threads.unwrap_or(1) as usize;
    options.warmup = warmup;
    options.cooldown = cooldown;
    options.timeout = args.timeout.unwrap_or(options.timeout);
    options.retries = args.retries.unwrap_or(0);
    Ok(options)
}
