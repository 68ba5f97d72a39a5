//! `bulkhead prove`: a gateway in this process, real HTTP/2 and gRPC traffic through it over loopback,
//! workers killed under that traffic, and a verdict with figures.
//!
//! The story stands in [`run`]; what it calls prepares, measures or writes. Nothing here retries a
//! request, and no criterion is softened by what was seen: the limits are constants of `verdict`.

mod args;
mod calibrate;
mod document;
mod html;
mod memory;
mod plan;
mod preflight;
mod progress;
mod stage;
mod storm;
mod table;
mod tokens;
mod verdict;
mod workload;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

pub(crate) use args::ProveArgs;

use crate::interrupt::Interrupt;
use document::Document;
use plan::Plan;
use progress::Progress;
use stage::Stage;
use tokens::TokenPool;

/// Exit status when the run could not be made.
const COULD_NOT_RUN: u8 = 2;

/// Runs the proof: exit status 0 on pass, 1 on fail, 2 when it could not be run.
pub(crate) fn execute(args: ProveArgs) -> anyhow::Result<ExitCode> {
    match run(&args) {
        Ok(Some(document)) if document.passed() => Ok(ExitCode::SUCCESS),
        Ok(Some(_)) => Ok(ExitCode::from(1)),
        Ok(None) => Ok(ExitCode::from(COULD_NOT_RUN)),
        Err(error) => {
            let mut stderr = std::io::stderr();
            writeln!(stderr, "error: prove could not be run: {error:#}").context("write")?;
            Ok(ExitCode::from(COULD_NOT_RUN))
        }
    }
}

/// `None`: interrupted before the measured part began.
fn run(args: &ProveArgs) -> anyhow::Result<Option<Document>> {
    let mut plan = Plan::resolve(args)?;
    let interrupt = Interrupt::watch()?;
    let progress = Progress::new();
    progress.say(&plan.describe());

    progress.say(&format!("signing {} RS256 tokens", plan.tokens));
    let tokens = Arc::new(TokenPool::generate(plan.tokens)?);
    let stage = Stage::start(&plan, &tokens)?;
    progress.say(&format!(
        "gateway on {} with {} workers; upstreams on {} (JSON) and {} (gRPC)",
        stage.address(),
        plan.workers,
        stage.json_origin(),
        stage.grpc_origin(),
    ));
    let preflight = preflight::run(&stage, &tokens, plan.jwt)?;

    let calibration = calibrate::run(&mut plan, &stage, &tokens, &interrupt, &progress)?;
    if interrupt.is_set() {
        progress.say("interrupted before the measured part began: there is nothing to report");
        return Ok(None);
    }

    let storm = storm::run(&plan, &stage, &tokens, &interrupt, &progress)?;
    let document = Document::new(&plan, preflight, calibration, &storm);
    stage.stop();

    write_reports(args, &document, &progress)?;
    table::print(&document, &mut std::io::stdout().lock()).context("write the table")?;
    Ok(Some(document))
}

fn write_reports(args: &ProveArgs, document: &Document, progress: &Progress) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(document).context("serialise the results")?;
    if let Some(path) = &args.json {
        write(path, &(json.clone() + "\n"))?;
        progress.say(&format!("wrote {}", path.display()));
    }
    if !args.no_report {
        write(&args.report, &html::render(document, &json))?;
        progress.say(&format!("wrote {}", args.report.display()));
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}
