//! The results as data: what `--json` writes, and what the report and the table are made from.
//!
//! Keys are stable: new ones may come, none changes its meaning under `schema` 1.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bulkhead_chaos::{Outcome, Verdict};
use bulkhead_load::{ClassReport, ConnectionReport, FailureSample, LoadReport, Row, Summary};
use serde::Serialize;

use super::against::PeerResult;
use super::calibrate::{Calibrated, Calibration, Step};
use super::faults::FaultEvent;
use super::link::{LinkSeen, whole_milliseconds};
use super::memory::Environment;
use super::plan::{CLASSES, FLOOD_CLASS, HELD_CLASS, Plan};
use super::preflight::Preflight;
use super::storm::{KillEvent, Storm};
use super::verdict::{Check, checks, verdict};

/// Everything about a run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Document {
    pub(crate) schema: u32,
    /// `pass` if every check passed.
    pub(crate) verdict: &'static str,
    /// The gravest of what failed, by the aspects of the checks; it gives the exit status.
    pub(crate) outcome: Outcome,
    /// The four answers apart.
    pub(crate) answers: Verdict,
    pub(crate) exit_status: u8,
    /// The run was interrupted: everything here is about the part that was made.
    pub(crate) partial: bool,
    pub(crate) checks: Vec<Check>,
    pub(crate) requests: Requests,
    /// From the intended send time to the whole answer; right answers, without the held requests.
    pub(crate) latency_ms: Summary,
    /// From the actual send time.
    pub(crate) service_ms: Summary,
    /// Right answers per second, without the held requests.
    pub(crate) throughput_rps: f64,
    /// Requests per second that the schedule asked for.
    pub(crate) offered_rps: f64,
    pub(crate) workers: Workers,
    /// Faults of the profile that the gateway carried out.
    pub(crate) faults: Vec<FaultEvent>,
    pub(crate) memory: Memory,
    pub(crate) oom_events: u64,
    /// Whether the kernel counts them at all.
    pub(crate) oom_events_known: bool,
    /// CPU time of the gateway's worker threads, over right answers.
    pub(crate) cpu_us_per_request: f64,
    /// Connections that were to be open at a time, without those of the held requests.
    pub(crate) connections: usize,
    pub(crate) client: Client,
    pub(crate) preflight: Preflight,
    /// `None`: there was no link.
    pub(crate) link: Option<LinkSeen>,
    /// Congestion control of TCP.
    pub(crate) congestion_control: String,
    /// Other gateways in the same storm.
    pub(crate) against: Vec<PeerResult>,
    pub(crate) timeline: Vec<Second>,
    pub(crate) failure_samples: Vec<FailureSample>,
    pub(crate) calibration: Option<Calibration>,
    /// The load at this rate before the first kill, when the link had its faults already.
    pub(crate) before: Step,
    /// The profile, as `--profile` names it.
    pub(crate) profile: String,
    /// What the profile says of itself; may be empty.
    pub(crate) description: String,
    pub(crate) duration_s: f64,
    /// `None`: no worker was to be killed.
    pub(crate) kill_interval_s: Option<f64>,
    pub(crate) kill_share_percent: Option<f64>,
    /// Share of the requests that are JSON over HTTP/2; the rest is gRPC.
    pub(crate) http2_percent: f64,
    /// Mean life of a client connection.
    pub(crate) connection_life_s: f64,
    pub(crate) jwt: bool,
    pub(crate) tokens: usize,
    pub(crate) seed: u64,
    /// The command that makes the same run again.
    pub(crate) command: String,
    /// The command that makes the same storm again, without others.
    pub(crate) storm: String,
    /// When the measured part began, since 1970.
    pub(crate) began_unix_ms: u64,
    /// When the run ended.
    pub(crate) ended_unix_s: u64,
    pub(crate) environment: Environment,
}

/// Counts of requests.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Requests {
    /// Requests whose time came; each is either ok or failed.
    pub(crate) scheduled: u64,
    pub(crate) sent: u64,
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    /// Of the failed, those that never found a free stream in time.
    pub(crate) unsent: u64,
    /// Sent more than 10 ms after their time.
    pub(crate) late: u64,
    pub(crate) by_protocol: BTreeMap<String, ClassReport>,
}

/// The gateway's workers.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Workers {
    pub(crate) count: usize,
    pub(crate) killed: usize,
    pub(crate) alive_at_end: usize,
    pub(crate) evacuated_connections: u64,
    pub(crate) evacuated_requests: usize,
    pub(crate) lost_connections: u64,
    pub(crate) kills: Vec<KillEvent>,
}

/// Resident memory of the whole process.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) rss_start_bytes: u64,
    pub(crate) rss_end_bytes: u64,
    pub(crate) rss_max_bytes: u64,
    pub(crate) rss_growth_bytes: i64,
}

/// The load generator.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Client {
    pub(crate) connections: ConnectionReport,
    pub(crate) lag_ms: Summary,
    pub(crate) cpu_us_per_request: f64,
}

/// A second of the run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Second {
    #[serde(flatten)]
    pub(crate) row: Row,
    pub(crate) rss_bytes: u64,
}

impl Document {
    pub(crate) fn new(
        plan: &Plan,
        preflight: Preflight,
        calibrated: Calibrated,
        storm: &Storm,
    ) -> Self {
        let checks = checks(storm, &preflight, plan);
        let answers = verdict(&checks);
        let outcome = answers.outcome();
        let verdict = if outcome == Outcome::Held { "pass" } else { "fail" };
        let ok = storm.load.ok + storm.held.ok;
        let per_request = |seconds: f64| seconds * 1e6 / ok.max(1) as f64;
        let client = Client {
            connections: connections(storm),
            lag_ms: storm.load.generator_lag_ms,
            cpu_us_per_request: per_request(
                storm.load.generator_cpu_s + storm.held.generator_cpu_s,
            ),
        };
        let Storm { load, held, .. } = storm;
        let (kills, jwt) = (plan.profile.kills, plan.profile.traffic.jwt);
        Self {
            schema: 1,
            verdict,
            outcome,
            answers,
            exit_status: outcome.exit_status(),
            partial: storm.interrupted,
            checks,
            requests: Requests::new(load, held, storm.flood.as_ref()),
            latency_ms: load.latency_ms,
            service_ms: load.service_ms,
            throughput_rps: load.throughput_rps,
            offered_rps: plan.rate(),
            workers: Workers::new(plan, storm),
            faults: storm.faults.clone(),
            memory: Memory {
                rss_start_bytes: storm.rss_start,
                rss_end_bytes: storm.rss_end,
                rss_max_bytes: storm.rss.iter().copied().max().unwrap_or(0).max(storm.rss_end),
                rss_growth_bytes: storm.rss_growth(),
            },
            oom_events: storm.oom_events.unwrap_or(0),
            oom_events_known: storm.oom_events.is_some(),
            cpu_us_per_request: per_request(storm.gateway_cpu.as_secs_f64()),
            connections: plan.profile.traffic.connections.into(),
            client,
            preflight,
            link: storm.link.clone(),
            congestion_control: storm.congestion_control.clone(),
            against: Vec::new(),
            timeline: timeline(storm),
            failure_samples: [&load.failure_samples[..], &held.failure_samples].concat(),
            calibration: calibrated.calibration,
            before: calibrated.last,
            profile: plan.source.to_string(),
            description: plan.profile.description.clone(),
            duration_s: load.duration_s.min(plan.profile.duration.as_secs_f64()),
            connection_life_s: plan.connection_life().as_secs_f64(),
            kill_interval_s: kills.map(|kills| kills.every.as_secs_f64()),
            kill_share_percent: kills.map(|kills| 100.0 * kills.share),
            http2_percent: 100.0 * plan.profile.traffic.http2_share,
            jwt,
            tokens: if jwt { plan.tokens } else { 0 },
            seed: plan.seed,
            command: plan.command(),
            storm: plan.storm(),
            began_unix_ms: whole_milliseconds(storm.began_unix),
            ended_unix_s: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or(Duration::ZERO)
                .as_secs(),
            environment: Environment::read(),
        }
    }

    /// Figures by protocol, in the order in which they are told.
    pub(crate) fn protocols(&self) -> impl Iterator<Item = (&'static str, &ClassReport)> {
        let order = [CLASSES[0], CLASSES[1], HELD_CLASS, FLOOD_CLASS];
        order.into_iter().filter_map(|name| Some((name, self.requests.by_protocol.get(name)?)))
    }

    pub(crate) fn passed(&self) -> bool {
        self.verdict == "pass"
    }
}

impl Requests {
    /// The flood is a class of its own, and no part of the sums.
    fn new(load: &LoadReport, held: &LoadReport, flood: Option<&LoadReport>) -> Self {
        let flood = flood.into_iter().flat_map(|flood| &flood.classes);
        let classes = load.classes.iter().chain(&held.classes).chain(flood);
        Self {
            scheduled: load.scheduled + held.scheduled,
            sent: load.sent + held.sent,
            ok: load.ok + held.ok,
            failed: load.failed + held.failed,
            unsent: load.unsent + held.unsent,
            late: load.late + held.late,
            by_protocol: classes.map(|class| (class.name.clone(), class.clone())).collect(),
        }
    }
}

impl Workers {
    fn new(plan: &Plan, storm: &Storm) -> Self {
        Self {
            count: plan.profile.workers.into(),
            killed: storm.kills.iter().filter(|kill| kill.error.is_none()).count(),
            alive_at_end: storm.workers_alive,
            evacuated_connections: storm.evacuated_connections,
            evacuated_requests: storm.kills.iter().map(|kill| kill.exchanges_moved).sum(),
            lost_connections: storm.lost_connections,
            kills: storm.kills.clone(),
        }
    }
}

fn connections(storm: &Storm) -> ConnectionReport {
    let (load, held) = (&storm.load.connections, &storm.held.connections);
    ConnectionReport {
        opened: load.opened + held.opened,
        lost: load.lost + held.lost,
        connects_failed: load.connects_failed + held.connects_failed,
        ..ConnectionReport::default()
    }
}

fn timeline(storm: &Storm) -> Vec<Second> {
    // Answers that came after the last request was sent are not a second of the run.
    let rows = storm.load.rows.iter().filter(|row| row.scheduled > 0);
    rows.enumerate()
        .map(|(index, row)| Second {
            row: row.clone(),
            rss_bytes: storm.rss.get(index).copied().unwrap_or(storm.rss_end),
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests;
