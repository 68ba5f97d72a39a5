//! The measured part: load goes on at its rate while workers are killed as planned.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_chaos::Kill;
use bulkhead_gateway::KillReport;
use bulkhead_load::{Load, LoadReport};
use serde::Serialize;

use super::faults::{FaultEvent, Faults};
use super::ground::unix;
use super::link::LinkSeen;
use super::memory::{oom_kills, rss_bytes};
use super::plan::Plan;
use super::progress::{Progress, StormProgress};
use super::stage::Stage;
use super::tokens::TokenPool;
use crate::interrupt::Interrupt;

/// Longest time in which nothing is looked at.
const TURN: Duration = Duration::from_millis(20);

/// One worker killed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct KillEvent {
    /// Seconds since the start of the measured part.
    pub(crate) at_s: f64,
    pub(crate) worker: usize,
    /// Connections, downstream and upstream, that went on at a sibling.
    pub(crate) connections_moved: usize,
    /// Requests in flight that went on at a sibling.
    pub(crate) exchanges_moved: usize,
    /// Downstream connections that were lost.
    pub(crate) connections_lost: usize,
    /// Time that the evacuation took.
    pub(crate) evacuation_ms: f64,
    /// The worker's successor was seen at work.
    pub(crate) came_back: bool,
    /// When that was seen, in seconds since the start of the measured part.
    pub(crate) back_s: Option<f64>,
    /// Why it could not be killed.
    pub(crate) error: Option<String>,
    /// Of the worker, before.
    #[serde(skip)]
    pub(crate) generation: u64,
}

/// What was seen.
#[derive(Clone, Debug)]
pub(crate) struct Storm {
    pub(crate) load: LoadReport,
    /// The held requests: counted, but no part of latency and throughput.
    pub(crate) held: LoadReport,
    /// Callers without tokens, who are right to be turned away; no part of anything else.
    pub(crate) flood: Option<LoadReport>,
    /// What the link did meanwhile.
    pub(crate) link: Option<LinkSeen>,
    pub(crate) congestion_control: String,
    pub(crate) kills: Vec<KillEvent>,
    pub(crate) faults: Vec<FaultEvent>,
    pub(crate) interrupted: bool,
    /// When the measured part began, since 1970.
    pub(crate) began_unix: Duration,
    pub(crate) evacuated_connections: u64,
    pub(crate) lost_connections: u64,
    pub(crate) workers_alive: usize,
    /// CPU time of all workers of the gateway, the dead ones too.
    pub(crate) gateway_cpu: Duration,
    /// Resident memory by second.
    pub(crate) rss: Vec<u64>,
    pub(crate) rss_start: u64,
    pub(crate) rss_end: u64,
    /// `None`: the kernel does not tell.
    pub(crate) oom_events: Option<u64>,
}

/// Makes the storm. Calls `keep` often meanwhile.
pub(crate) fn run(
    plan: &Plan,
    stage: &Stage,
    tokens: &Arc<TokenPool>,
    interrupt: &Interrupt,
    progress: &Progress,
    keep: &mut dyn FnMut(),
) -> anyhow::Result<Storm> {
    let rate = plan.rate();
    progress.say(&format!("storm: {rate:.0} requests/s"));
    let before = stage.gateway.evacuation_totals();
    let cpu_before = stage.gateway.cpu_time();
    let oom_before = oom_kills();
    let mut held = stage.held(plan, tokens)?;
    let mut flood = stage.flood(plan)?;
    let load = stage.load(plan, tokens, plan.arrivals(rate), plan.profile.duration)?;
    let bar = progress.storm(plan.profile.duration);
    let mut director = Director {
        stage,
        bar: &bar,
        started: load.started(),
        kills: Vec::new(),
        faults: Faults::new(stage, plan),
        rss: Vec::new(),
        rss_start: None,
        rss_end: None,
        failed: 0,
    };
    let (load, interrupted) = director.direct(plan, load, interrupt, || {
        keep();
        drain(&mut held);
        flood.iter_mut().for_each(drain);
    });
    held.stop();
    let held = held.finish();
    let flood = flood.map(|flood| {
        flood.stop();
        flood.finish()
    });
    director.look_for_successors();
    let Director { kills, faults, rss, rss_start, rss_end, started, .. } = director;
    let elapsed = started.elapsed();
    let faults = faults.end(elapsed);
    bar.end();
    let after = stage.gateway.evacuation_totals();
    let rss_end = rss_end.unwrap_or_else(rss_bytes);
    Ok(Storm {
        load,
        held,
        flood,
        link: None,
        congestion_control: stage.ground.congestion_control(),
        kills,
        faults,
        interrupted,
        began_unix: unix().saturating_sub(elapsed),
        evacuated_connections: after.evacuated_connections - before.evacuated_connections,
        lost_connections: after.lost_connections - before.lost_connections,
        workers_alive: stage.gateway.workers().iter().filter(|worker| worker.alive).count(),
        gateway_cpu: stage.gateway.cpu_time().saturating_sub(cpu_before),
        rss,
        rss_start: rss_start.unwrap_or(rss_end),
        rss_end,
        oom_events: oom_kills().zip(oom_before).map(|(after, before)| after.saturating_sub(before)),
    })
}

/// Takes the seconds of a load that is shown as a whole only: those that wait hold a histogram each.
pub(crate) fn drain(load: &mut Load) {
    while load.next_row(Duration::ZERO).is_some() {}
}

/// Carries the plan out beside the load.
struct Director<'a> {
    stage: &'a Stage,
    bar: &'a StormProgress,
    started: Instant,
    kills: Vec<KillEvent>,
    faults: Faults<'a>,
    rss: Vec<u64>,
    rss_start: Option<u64>,
    /// Before the generator sums up what it has seen, which takes memory of its own.
    rss_end: Option<u64>,
    failed: u64,
}

impl Director<'_> {
    fn direct(
        &mut self,
        plan: &Plan,
        mut load: Load,
        interrupt: &Interrupt,
        mut aside: impl FnMut(),
    ) -> (LoadReport, bool) {
        let warm_up = plan.warm_up();
        let mut rounds = plan.kills.iter().peekable();
        let mut interrupted = false;
        while !load.is_over() {
            if let Some(row) = load.next_row(TURN) {
                self.failed += row.failed;
                self.bar.second(row, self.failed, self.kills.len());
                self.rss.push(rss_bytes());
            }
            aside();
            let elapsed = self.started.elapsed();
            if elapsed >= warm_up && self.rss_start.is_none() {
                self.rss_start = Some(rss_bytes());
            }
            if !interrupted && interrupt.is_set() {
                interrupted = true;
                load.stop();
                self.bar.note("interrupted: waiting for what is in flight, then a partial report");
            }
            self.look_for_successors();
            if !interrupted {
                self.faults.advance(elapsed, self.bar);
            }
            if let Some(round) = rounds.next_if(|kill| kill.at <= elapsed && !interrupted) {
                self.kill(round);
            }
        }
        self.rss_end = Some(rss_bytes());
        (load.finish(), interrupted)
    }

    fn kill(&mut self, round: &Kill) {
        for &worker in &round.victims {
            let generation = self.generation_of(worker);
            let at_s = self.started.elapsed().as_secs_f64();
            let (report, error) = match self.stage.kill(worker) {
                Ok(report) => (report, None),
                Err(error) => (KillReport::default(), Some(error.to_string())),
            };
            let event = KillEvent {
                at_s,
                worker,
                connections_moved: report.connections_moved,
                exchanges_moved: report.exchanges_moved,
                connections_lost: report.connections_lost,
                evacuation_ms: report.duration.as_secs_f64() * 1_000.0,
                came_back: false,
                back_s: None,
                error,
                generation,
            };
            self.bar.note(&match &event.error {
                Some(error) => format!("{at_s:>5.1} s  worker {worker} could not be killed: {error}"),
                None => format!(
                    "{at_s:>5.1} s  killed worker {worker}: {} connections and {} requests in flight moved in {:.2} ms",
                    event.connections_moved, event.exchanges_moved, event.evacuation_ms
                ),
            });
            self.kills.push(event);
        }
    }

    fn generation_of(&self, worker: usize) -> u64 {
        let workers = self.stage.gateway.workers();
        workers.iter().find(|status| status.index == worker).map_or(0, |status| status.generation)
    }

    /// Marks the kills whose worker has a live successor.
    fn look_for_successors(&mut self) {
        if self.kills.iter().all(|kill| kill.came_back || kill.error.is_some()) {
            return;
        }
        let workers = self.stage.gateway.workers();
        for kill in self.kills.iter_mut().filter(|kill| kill.error.is_none()) {
            kill.came_back |= workers.iter().any(|status| {
                status.index == kill.worker && status.alive && status.generation > kill.generation
            });
            if kill.came_back && kill.back_s.is_none() {
                kill.back_s = Some(self.started.elapsed().as_secs_f64());
            }
        }
    }
}

#[cfg(test)]
mod tests;
