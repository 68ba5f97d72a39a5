//! Which source of requests the flags ask for.

use anyhow::Context;
use bulkhead_scenario::{EncodeMessage, Judge, Methods};

use super::args::{ArrivalsArg, LoadArgs};
use super::plain::CONNECTIONS;
use super::source::{FileSource, Overrides, Replay};
use super::{grpc, plain, seed_from_clock, source, workload};

/// Reads what the flags name.
pub(crate) fn choose(args: &LoadArgs) -> anyhow::Result<FileSource> {
    let schema = match args.grpc_source.source() {
        Some(described) if args.scenario.is_some() => Some(grpc::schema_of_files(&described)?),
        _ => None,
    };
    let encode = |path: &str, json: &str| {
        let schema = schema.as_ref().ok_or_else(|| {
            "messages as JSON need --descriptor-set or --proto beside the scenario".to_owned()
        })?;
        let method = schema.method(path).map_err(|error| error.to_string())?;
        method.encode(json).map_err(|error| error.to_string())
    };
    let overrides = overrides(args, &encode);
    let replay = Replay {
        speed: args.speed,
        judge: if args.any_success { Judge::Success } else { Judge::default() },
        methods: if args.all_methods { Methods::All } else { Methods::default() },
    };
    let mut chosen = if let Some(path) = &args.scenario {
        source::scenario(path, &overrides)?
    } else if let Some(path) = &args.har {
        source::har(path, &replay, &overrides)?
    } else if let Some(path) = &args.replay {
        source::access_log(path, &replay, &overrides)?
    } else if let Some(path) = &args.openapi {
        let fields = workload::fields(args)?;
        source::openapi(path, replay.methods, &fields, &overrides)?
    } else {
        let url = args.url.as_deref().context("a URL is needed")?;
        let seed = overrides.seed.unwrap_or(overrides.seed_otherwise);
        let (assertions, notes) = (Vec::new(), Vec::new());
        FileSource { source: plain::source(args, url, seed)?, seed, assertions, notes }
    };
    chosen.assertions.extend(args.assertions.iter().cloned());
    Ok(chosen)
}

fn overrides<'a>(args: &'a LoadArgs, encode: &'a EncodeMessage<'a>) -> Overrides<'a> {
    let connections = args.connections.map(|count| count as usize);
    Overrides {
        url: args.url.as_deref(),
        seed: args.seed,
        seed_otherwise: seed_from_clock(),
        rate: args.rate,
        process: args.arrivals.map(ArrivalsArg::process),
        clients: args.closed.then(|| connections.unwrap_or(CONNECTIONS as usize)),
        think: args.think,
        duration: args.duration,
        warmup: args.warmup,
        cooldown: args.cooldown,
        timeout: args.timeout,
        retries: args.retries,
        threads: args.threads.map(|count| count as usize),
        connections,
        streams: args.streams.map(|count| count as usize),
        tick: args.tick,
        tls: Some(&args.tls),
        encode_message: Some(encode),
    }
}
