//! Runs from files: a scenario, a recording, an access log, an OpenAPI description. Reads the files and
//! looks names up for `bulkhead_scenario`, which does neither; sends nothing itself.

mod connect;
mod files;
mod pace;
mod tokens;

pub(crate) use files::read as read_file;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bulkhead_load::{Class, Process, Workload};
use bulkhead_scenario::{
    EncodeMessage, Endpoint, Judge, Methods, OpenApiOptions, PlanWorkload, RecordingOptions,
    Skipped, Surroundings, TargetSettings, Tokens,
};

use super::args::TlsArgs;
use super::assertion::Assertion;
use super::plain::Source;

use pace::Pacing;

/// What flags say besides the file. What is left out is as the file says, or the default.
#[derive(Clone, Copy, Default)]
pub(crate) struct Overrides<'a> {
    /// Stands for the servers that the file names.
    pub(crate) url: Option<&'a str>,
    pub(crate) seed: Option<u64>,
    /// If neither flag nor file has one.
    pub(crate) seed_otherwise: u64,
    /// Requests per second, in place of the phases or the recorded times.
    pub(crate) rate: Option<f64>,
    pub(crate) process: Option<Process>,
    /// Clients of a closed loop, in place of any rate.
    pub(crate) clients: Option<usize>,
    pub(crate) think: Duration,
    pub(crate) duration: Option<Duration>,
    pub(crate) warmup: Option<Duration>,
    pub(crate) cooldown: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retries: Option<u32>,
    pub(crate) threads: Option<usize>,
    pub(crate) connections: Option<usize>,
    pub(crate) streams: Option<usize>,
    pub(crate) tick: Duration,
    pub(crate) tls: Option<&'a TlsArgs>,
    /// Encodes the gRPC messages of a scenario that are given as JSON.
    pub(crate) encode_message: Option<&'a EncodeMessage<'a>>,
}

/// How a recording is sent again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Replay {
    /// So many times as fast as it was recorded; `None`: as fast. Means nothing with a rate of its own.
    pub(crate) speed: Option<f64>,
    pub(crate) judge: Judge,
    pub(crate) methods: Methods,
}

/// A run from a file.
#[derive(Clone)]
pub(crate) struct FileSource {
    pub(crate) source: Source,
    pub(crate) seed: u64,
    /// What the file says must hold.
    pub(crate) assertions: Vec<Assertion>,
    /// What a user should know before the run: what was left out, and why.
    pub(crate) notes: Vec<String>,
}

/// Reads a YAML scenario, the files that it names, and signs its tokens.
pub(crate) fn scenario(path: &Path, overrides: &Overrides<'_>) -> anyhow::Result<FileSource> {
    let text = files::read_text(path)?;
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let name = path.display().to_string();
    let surroundings = Surroundings {
        url: overrides.url,
        encode_message: overrides.encode_message,
        read: &|name| files::read_beside(folder, name),
        check_assertion: &|text| Assertion::parse(text).map(|_| ()),
    };
    let scenario = bulkhead_scenario::parse(&text, &name, &surroundings)?;
    let pacing = Pacing::of_scenario(scenario.load.as_ref(), overrides)
        .with_context(|| format!("{name} has no `load`"))?;
    let seed = pacing.seed;
    let tokens = tokens::sign(&scenario.tokens, folder)?;
    let workload = PlanWorkload::new(Arc::clone(&scenario.plan), Tokens::new(tokens), seed);
    let assertions = scenario.assertions.iter().map(|text| Assertion::parse(text));
    let description = match scenario.description.as_str() {
        "" => name,
        description => format!("{name}: {description}"),
    };
    Ok(FileSource {
        source: source(
            pacing,
            &scenario.targets,
            scenario.plan.classes(),
            overrides,
            Arc::new(move |_| Box::new(workload.clone())),
            description,
        )?,
        seed,
        assertions: assertions.collect::<Result<_, _>>().map_err(anyhow::Error::msg)?,
        notes: scenario.warnings.iter().map(ToString::to_string).collect(),
    })
}

/// Reads a HAR file.
pub(crate) fn har(
    path: &Path,
    replay: &Replay,
    overrides: &Overrides<'_>,
) -> anyhow::Result<FileSource> {
    let name = path.display().to_string();
    let options = recording_options(replay, overrides)?;
    let recording = bulkhead_scenario::har(&files::read_text(path)?, &name, &options)?;
    recorded(&recording, &name, replay, overrides)
}

/// Reads an access log; `overrides` must have a URL, because a log names no server.
pub(crate) fn access_log(
    path: &Path,
    replay: &Replay,
    overrides: &Overrides<'_>,
) -> anyhow::Result<FileSource> {
    let name = path.display().to_string();
    let options = recording_options(replay, overrides)?;
    let recording = bulkhead_scenario::access_log(&files::read(path)?, &name, &options)?;
    let mut source = recorded(&recording, &name, replay, overrides)?;
    if recording.queries_left_out > 0 {
        let count = recording.queries_left_out;
        source
            .notes
            .push(format!("{count} requests are sent without their query, which the log lacks"));
    }
    Ok(source)
}

/// Reads an OpenAPI description; `fields` go into each request, names in lower case.
pub(crate) fn openapi(
    path: &Path,
    methods: Methods,
    fields: &[(String, String)],
    overrides: &Overrides<'_>,
) -> anyhow::Result<FileSource> {
    let name = path.display().to_string();
    let options = OpenApiOptions {
        target: target(overrides)?,
        connections: overrides.connections,
        methods,
        fields: fields.to_vec(),
    };
    let requests = bulkhead_scenario::openapi(&files::read_text(path)?, &name, &options)?;
    let pacing = Pacing::of_flags(overrides).with_context(|| format!("{name} has no pace"))?;
    let seed = pacing.seed;
    let workload = PlanWorkload::new(Arc::clone(&requests.plan), Tokens::default(), seed);
    Ok(FileSource {
        source: source(
            pacing,
            &[requests.target],
            requests.plan.classes(),
            overrides,
            Arc::new(move |_| Box::new(workload.clone())),
            name,
        )?,
        seed,
        assertions: Vec::new(),
        notes: left_out(&requests.skipped, "operations").into_iter().collect(),
    })
}

fn recording_options(
    replay: &Replay,
    overrides: &Overrides<'_>,
) -> anyhow::Result<RecordingOptions> {
    Ok(RecordingOptions {
        target: target(overrides)?,
        connections: overrides.connections,
        methods: replay.methods,
    })
}

/// The server of the URL, if there is one.
fn target(overrides: &Overrides<'_>) -> anyhow::Result<Option<TargetSettings>> {
    let Some(url) = overrides.url else { return Ok(None) };
    let (endpoint, path) = Endpoint::parse(url)
        .map_err(|fault| anyhow::anyhow!("{fault}: `{url}`; {}", fault.remedy()))?;
    let connections = overrides.connections;
    let name = endpoint.authority.clone();
    let mut target = TargetSettings::new(name, endpoint, connections);
    target.base = path.trim_end_matches('/').to_owned();
    Ok(Some(target))
}

fn recorded(
    recording: &bulkhead_scenario::Recording,
    name: &str,
    replay: &Replay,
    overrides: &Overrides<'_>,
) -> anyhow::Result<FileSource> {
    let own_pace = overrides.rate.is_some() || overrides.clients.is_some();
    let (pacing, workload) = if own_pace {
        let pacing = Pacing::of_flags(overrides).context("put the pace together")?;
        let seed = pacing.seed;
        (pacing, recording.at_random(replay.judge, seed))
    } else {
        let schedule = recording.schedule(replay.speed.unwrap_or(1.0));
        (Pacing::recorded(schedule, overrides), recording.in_order(replay.judge))
    };
    let seed = pacing.seed;
    let made: Arc<dyn Fn(usize) -> Box<dyn Workload> + Send + Sync> =
        Arc::new(move |_| Box::new(workload.clone()));
    let description = name.to_owned();
    let (targets, classes) = (&recording.targets, &recording.classes);
    Ok(FileSource {
        source: source(pacing, targets, classes, overrides, made, description)?,
        seed,
        assertions: Vec::new(),
        notes: left_out(&recording.skipped, "requests").into_iter().collect(),
    })
}

fn left_out(skipped: &Skipped, what: &str) -> Option<String> {
    let first = skipped.first.as_ref()?;
    Some(format!("{} {what} are left out, the first in {first}", skipped.count))
}

fn source(
    pacing: Pacing,
    targets: &[TargetSettings],
    classes: &[Class],
    overrides: &Overrides<'_>,
    workload: Arc<dyn Fn(usize) -> Box<dyn Workload> + Send + Sync>,
    description: String,
) -> anyhow::Result<Source> {
    let clients = pacing.clients();
    let targets = targets.iter().map(|target| connect::options(target, clients, overrides));
    let targets = targets.collect::<anyhow::Result<Vec<_>>>()?;
    let options = pacing.options(targets, classes.to_vec())?;
    Ok(Source { options, workload, description })
}

#[cfg(test)]
mod tests;
