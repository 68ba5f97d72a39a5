//! `bulkhead prove`: a gateway in this process, real HTTP/2 and gRPC traffic through it over loopback,
//! workers killed under that traffic, and a verdict with figures.
//!
//! With a link, the clients reach it through a packet box that loses and delays their packets.
//!
//! The story stands in [`run`]; what it calls prepares, measures or writes. Nothing here retries a
//! request, and no criterion is softened by what was seen: the limits are the profile's, or constants of `verdict`.

mod against;
mod args;
mod calibrate;
mod callers;
mod document;
mod faults;
mod floor;
mod ground;
mod html;
mod imposed;
mod journal;
mod junit;
mod link;
mod markdown;
mod memory;
mod peers_only;
mod plan;
mod preflight;
mod profile;
mod progress;
mod stage;
mod storm;
mod table;
mod tokens;
mod verdict;
mod weather;
mod workload;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use bulkhead_chaos::Outcome;

pub(crate) use args::ProveArgs;

use crate::interrupt::Interrupt;
use document::Document;
use ground::Ground;
use imposed::{Imposed, Keeping};
use link::LinkSeen;
use plan::Plan;
use progress::Progress;
use stage::Stage;
use tokens::TokenPool;

/// Runs the proof. Its exit status is that of the [`Outcome`]; a run that could not be made has the
/// one of failed infrastructure.
pub(crate) fn execute(args: ProveArgs) -> anyhow::Result<ExitCode> {
    if let Some(source) = &args.print_profile {
        std::io::stdout().write_all(source.text()?.as_bytes()).context("print the profile")?;
        return Ok(ExitCode::SUCCESS);
    }
    let infrastructure = ExitCode::from(Outcome::Infrastructure.exit_status());
    let made = Plan::resolve(&args).and_then(|plan| {
        ground::go_where_links_may_be(plan.profile.link.as_ref())?;
        if args.peers_only {
            return peers_only::run(&args, &plan).map(|()| ExitCode::SUCCESS);
        }
        Ok(run(&args, plan)?.map_or(infrastructure, |document| document.exit_status.into()))
    });
    match made {
        Ok(status) => Ok(status),
        Err(error) => {
            let mut stderr = std::io::stderr();
            writeln!(stderr, "error: prove could not be run: {error:#}").context("write")?;
            Ok(infrastructure)
        }
    }
}

/// `None`: interrupted before the measured part began.
fn run(args: &ProveArgs, mut plan: Plan) -> anyhow::Result<Option<Document>> {
    let earlier = earlier(args, &plan)?;
    let (began, interrupt) = (ground::unix(), Interrupt::watch()?);
    let progress = Progress::new();
    progress.say(&plan.describe());

    progress.say(&format!("signing {} RS256 tokens", plan.tokens));
    let tokens = Arc::new(TokenPool::generate(plan.tokens)?);
    let stage = Stage::start(&plan, &tokens, Ground::make(plan.profile.link.as_ref())?)?;
    progress.say(&format!(
        "gateway on {} with {} workers; upstreams on {} (JSON) and {} (gRPC)",
        stage.address(),
        plan.profile.workers,
        stage.json_origin(),
        stage.grpc_origin(),
    ));
    let preflight = preflight::run(&stage, &tokens, plan.profile.traffic.jwt)?;
    let mut imposed = impose(&plan, &stage, &progress)?;

    let mut keep = || imposed.iter_mut().for_each(Imposed::keep);
    let calibrated = calibrate::run(&mut plan, &stage, &tokens, &interrupt, &progress, &mut keep)?;
    if interrupt.is_set() {
        progress.say("interrupted before the measured part began: there is nothing to report");
        return Ok(None);
    }

    let before = stage.ground.count()?;
    let mut storm = storm::run(&plan, &stage, &tokens, &interrupt, &progress, &mut keep)?;
    if let (Some(imposed), Some(before), Some(weather)) = (imposed, before, &plan.profile.link) {
        let after = stage.ground.count()?.context("the link is gone")?;
        let life = imposed.revert();
        progress.say(&life.reverted.describe("the link has no faults any more"));
        let congestion_control = stage.ground.congestion_control();
        let counted = [&before, &after];
        let seen = LinkSeen::new(weather, congestion_control, counted, life);
        storm.link = Some(seen);
    }
    let mut document = Document::new(&plan, preflight, calibrated, &storm);
    stage.stop();
    let journal = journal::render(&plan, &document, began);
    document.against = earlier;
    document.against.extend(against::run(&plan, &tokens, &interrupt, &progress));

    write_reports(args, &document, &journal, &progress)?;
    table::print(&document, &mut std::io::stdout().lock()).context("write the table")?;
    Ok(Some(document))
}

/// Rows of earlier pieces of this comparison.
fn earlier(args: &ProveArgs, plan: &Plan) -> anyhow::Result<Vec<against::PeerResult>> {
    anyhow::ensure!(
        args.against_from.is_empty()
            || (plan.profile.traffic.rate.is_some() && args.seed.is_some()),
        "--against-from needs the --rate and --seed of the pieces that are joined"
    );
    against::read_earlier(&args.against_from, plan)
}

/// Says what the link is to do, makes it so, and says what probes met.
fn impose(plan: &Plan, stage: &Stage, progress: &Progress) -> anyhow::Result<Option<Imposed>> {
    let Some(weather) = &plan.profile.link else { return Ok(None) };
    progress.say(&weather.describe());
    let floor = floor::Floor::of(weather);
    progress.say(&format!(
        "congestion control {}; this link alone costs 1 % of requests at least {:.0} ms, and {:.0} ms \
         where each loss waits for its time-out",
        stage.ground.congestion_control(),
        floor.p99_ms,
        floor.p99_by_time_out_ms,
    ));
    let imposed = stage.ground.impose(weather, plan.seed, Keeping::default())?;
    if let Some(imposed) = &imposed {
        progress.say(&imposed.verified.describe("the link has the faults"));
    }
    Ok(imposed)
}

fn write_reports(
    args: &ProveArgs,
    document: &Document,
    journal: &serde_json::Value,
    progress: &Progress,
) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(document).context("serialise the results")?;
    if let Some(path) = &args.json {
        write(path, &(json.clone() + "\n"))?;
        progress.say(&format!("wrote {}", path.display()));
    }
    if let Some(path) = &args.journal {
        write(path, &format!("{journal:#}\n"))?;
        progress.say(&format!("wrote {}", path.display()));
    }
    if let Some(path) = &args.junit {
        write(path, &junit::render(document))?;
        progress.say(&format!("wrote {}", path.display()));
    }
    if let Some(path) = &args.markdown {
        write(path, &markdown::render(document))?;
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
