//! The same storm for other gateways: the same requests at the same rate from the same seed, the same
//! link, and the same share of their worker processes killed.
//!
//! What they may not have, the run leaves out and says so: tokens where RS256 is not known. Each peer
//! runs as many processes of one thread as we have workers, on one port (`SO_REUSEPORT`); a process that was killed is
//! started again at once, by nginx's own master or by us.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use bulkhead_load::{Load, LoadReport};
use serde::{Deserialize, Serialize};

use super::callers;
use super::ground::Ground;
use super::imposed::{Imposed, Keeping};
use super::memory::oom_kills;
use super::plan::Plan;
use super::progress::{Progress, StormProgress};
use super::stage::upstream;
use super::storm::drain;
use super::tokens::TokenPool;
use crate::interrupt::Interrupt;

mod earlier;
mod peer;
mod processes;

pub(crate) use earlier::read as read_earlier;
use peer::Peer;
pub(crate) use peer::PeerName;
use processes::Processes;

/// Longest time in which nothing is looked at.
const TURN: Duration = Duration::from_millis(20);
/// Load before the measured part: connections come up, and the peer is seen to answer.
const WARM_UP: Duration = Duration::from_secs(2);

/// What a peer showed, in the article's columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PeerResult {
    #[serde(skip_deserializing)]
    pub(crate) name: &'static str,
    /// What differs from our run.
    pub(crate) note: String,
    /// Why there are no figures.
    pub(crate) error: Option<String>,
    pub(crate) jwt: bool,
    /// Right answers per second.
    pub(crate) throughput_rps: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Of its processes together, from the end of the warm-up to the end.
    pub(crate) rss_growth_bytes: i64,
    pub(crate) rss_end_bytes: u64,
    pub(crate) oom_events: u64,
    pub(crate) requests_scheduled: u64,
    /// Requests without their right answer.
    pub(crate) requests_lost: u64,
    pub(crate) connections_lost: u64,
    pub(crate) workers_killed: usize,
}

/// All peers that were asked for, one after the other. One that cannot be run has a reason instead of
/// figures: it is no failure of ours.
pub(crate) fn run(
    plan: &Plan,
    tokens: &Arc<TokenPool>,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Vec<PeerResult> {
    let mut results = Vec::new();
    for &name in &plan.against {
        if interrupt.is_set() {
            break;
        }
        progress.say(&format!("the same storm for {}", name.name()));
        let result =
            one(name, plan, tokens, interrupt, progress).unwrap_or_else(|error| PeerResult {
                name: name.name(),
                error: Some(format!("{error:#}")),
                ..PeerResult::default()
            });
        progress.say(&match &result.error {
            Some(error) => format!("{}: {error}", result.name),
            None => format!(
                "{}: {:.0} ok/s, p99 {:.2} ms, {} requests lost",
                result.name, result.throughput_rps, result.p99_ms, result.requests_lost
            ),
        });
        results.push(result);
    }
    results
}

fn one(
    name: PeerName,
    plan: &Plan,
    tokens: &Arc<TokenPool>,
    interrupt: &Interrupt,
    progress: &Progress,
) -> anyhow::Result<PeerResult> {
    let ground = Ground::make(plan.profile.link.as_ref())?;
    let (json, grpc) = (upstream(&ground)?, upstream(&ground)?);
    let jwt = plan.profile.traffic.jwt && name.knows_rs256();
    let peer =
        Peer::prepare(name, plan, &ground, [json.addr(), grpc.addr()], jwt.then_some(tokens))?;
    let mut processes = Processes::start(&peer, &ground)?;
    let tokens = jwt.then_some(tokens);
    let rate = plan.rate();
    let load = |duration| {
        let options = plan.load(peer.address(), plan.arrivals(rate), duration);
        callers::feeds(&ground, options, plan, tokens)
    };
    let mut imposed = match &plan.profile.link {
        Some(weather) => ground.impose(weather, plan.seed, Keeping::default())?,
        None => None,
    };
    let warm = load(WARM_UP)?.finish();
    let seen = warm.failure_samples.first().map(|sample| sample.detail.clone());
    ensure!(warm.ok > 0, "it gave no right answer: {}", seen.unwrap_or_default());

    let (oom_before, before) = (oom_kills(), ground.count()?);
    let mut held = callers::held(&ground, plan.held(peer.address()), tokens)?;
    let bar = progress.storm(plan.profile.duration);
    let load = load(plan.profile.duration)?;
    let measured = Measured::direct(plan, load, &mut processes, interrupt, &bar, || {
        imposed.iter_mut().for_each(Imposed::keep);
        drain(&mut held);
    });
    bar.end();
    let measured = measured?;
    held.stop();
    let held = held.finish();
    let oom = oom_kills().zip(oom_before).map_or(0, |(after, before)| after.saturating_sub(before));
    let oom = oom.max(processes.lost());
    drop(processes);
    let lost = before.zip(ground.count()?).map(|(before, after)| {
        let [was, is] = [&before, &after].map(|counted| counted.report.upstream.counts);
        100.0 * (is.lost - was.lost) as f64 / (is.received - was.received).max(1) as f64
    });
    let life = imposed.map(Imposed::revert);
    let mut note = peer.note(jwt, lost, life.as_ref());
    if !plan.profile.faults.is_empty() {
        note += "; without the faults of the profile";
    }
    if plan.profile.traffic.flood {
        note += "; without the flood";
    }
    json.stop();
    grpc.stop();
    Ok(measured.result(name, note, jwt, &held, oom))
}

/// The measured part of a peer's storm.
struct Measured {
    load: LoadReport,
    killed: usize,
    rss_start: u64,
    rss_end: u64,
}

impl Measured {
    fn direct(
        plan: &Plan,
        mut load: Load,
        processes: &mut Processes<'_>,
        interrupt: &Interrupt,
        bar: &StormProgress,
        mut aside: impl FnMut(),
    ) -> anyhow::Result<Self> {
        let started = load.started();
        let mut rounds = plan.kills.iter().peekable();
        let (mut killed, mut failed, mut rss_start) = (0, 0, None);
        while !load.is_over() {
            if let Some(row) = load.next_row(TURN) {
                failed += row.failed;
                bar.second(row, failed, killed);
            }
            aside();
            let elapsed = started.elapsed();
            if elapsed >= plan.warm_up() && rss_start.is_none() {
                rss_start = Some(processes.rss_bytes());
            }
            if interrupt.is_set() {
                load.stop();
            }
            if let Some(round) = rounds.next_if(|kill| kill.at <= elapsed && !interrupt.is_set()) {
                for &victim in &round.victims {
                    processes.kill(victim).context("kill")?;
                    killed += 1;
                }
            }
        }
        let rss_end = processes.rss_bytes();
        let rss_start = rss_start.unwrap_or(rss_end);
        Ok(Self { load: load.finish(), killed, rss_start, rss_end })
    }

    fn result(
        &self,
        name: PeerName,
        note: String,
        jwt: bool,
        held: &LoadReport,
        oom_events: u64,
    ) -> PeerResult {
        let load = &self.load;
        PeerResult {
            name: name.name(),
            note,
            error: None,
            jwt,
            throughput_rps: load.throughput_rps,
            p50_ms: load.latency_ms.p50,
            p99_ms: load.latency_ms.p99,
            rss_growth_bytes: self.rss_end.cast_signed() - self.rss_start.cast_signed(),
            rss_end_bytes: self.rss_end,
            oom_events,
            requests_scheduled: load.scheduled + held.scheduled,
            requests_lost: load.failed + held.failed,
            connections_lost: load.connections.lost + held.connections.lost,
            workers_killed: self.killed,
        }
    }
}
