//! The criteria. Each is a fact that was measured beside the limit that it must keep.

use serde::Serialize;

use super::faults::FaultEvent;
use super::link::PACKETS_MIN;
use super::plan::Plan;
use super::preflight::Preflight;
use super::profile::Limits;
use super::storm::Storm;
use super::weather::milliseconds;

mod link;
mod outcome;

pub(crate) use outcome::{Aspect, sentence, verdict};

/// The generator may be this late, at its 99th percentile. Latency counts from the intended time, so
/// that lateness makes results worse, never better; beyond this the offered rate was not offered.
const GENERATOR_LAG_P99_MS_MAX: f64 = 100.0;
/// Fewer requests say too little about what becomes of them.
const REQUESTS_MIN: u64 = 100;

/// One criterion.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Check {
    /// What it is about.
    pub(crate) aspect: Aspect,
    /// Stable name, in `snake_case`.
    pub(crate) name: &'static str,
    pub(crate) pass: bool,
    /// What was measured.
    pub(crate) value: f64,
    /// What it is held against: `= 0`, `≤ 100 ms`.
    pub(crate) limit: String,
    /// What it means.
    pub(crate) meaning: &'static str,
}

impl Check {
    /// A count that the hypothesis bounds.
    fn at_most(name: &'static str, value: u64, most: u64, meaning: &'static str) -> Self {
        Self {
            aspect: Aspect::Hypothesis,
            name,
            pass: value <= most,
            value: value as f64,
            limit: if most == 0 { "= 0".to_owned() } else { format!("≤ {most}") },
            meaning,
        }
    }

    fn all(
        aspect: Aspect,
        name: &'static str,
        value: usize,
        of: usize,
        meaning: &'static str,
    ) -> Self {
        let pass = value == of;
        Self { aspect, name, pass, value: value as f64, limit: format!("= {of}"), meaning }
    }
}

/// All criteria, in the order in which they are shown. Of an interrupted run only those kills are
/// asked for that came before the interruption, but at least one: a run that killed nobody shows
/// nothing.
pub(crate) fn checks(storm: &Storm, preflight: &Preflight, plan: &Plan) -> Vec<Check> {
    let mut checks = request_checks(storm, &plan.profile.limits);
    if plan.profile.kills.is_some() {
        checks.extend(kill_checks(storm, plan.victims()));
    }
    checks.push(Check::all(
        Aspect::Revert,
        "workers_alive_at_end",
        storm.workers_alive,
        plan.profile.workers.into(),
        "workers at work when it was over",
    ));
    checks.extend(fault_checks(&storm.faults));
    checks.extend(ground_checks(storm, preflight, plan.profile.limits.rss_growth_bytes));
    if plan.profile.link.is_some() {
        match &storm.link {
            Some(seen) => checks.extend(link::checks(seen, storm.load.latency_ms.p50)),
            None => checks.push(Check {
                aspect: Aspect::Infrastructure,
                name: "link_packets",
                pass: false,
                value: 0.0,
                limit: format!("≥ {PACKETS_MIN}"),
                meaning: "what the link did was not measured",
            }),
        }
    }
    checks
}

/// What the clients saw.
fn request_checks(storm: &Storm, limits: &Limits) -> Vec<Check> {
    let (load, held) = (&storm.load, &storm.held);
    let scheduled = load.scheduled + held.scheduled;
    let mut checks = vec![
        Check {
            aspect: Aspect::Hypothesis,
            name: "requests_answered",
            pass: load.ok > 0,
            value: (load.ok + held.ok) as f64,
            limit: "> 0".to_owned(),
            meaning: "requests got their right answer: status, headers, every byte of the body, trailers",
        },
        Check::at_most(
            "requests_failed",
            load.failed + held.failed,
            (limits.failed_percent / 100.0 * scheduled as f64) as u64,
            "requests without their right answer, for whatever reason; nothing is retried by the client",
        ),
        Check::at_most(
            "connections_lost",
            storm.lost_connections,
            limits.connections_lost,
            "client connections that the gateway could not carry over to another worker",
        ),
        Check::at_most(
            "connections_lost_seen_by_client",
            load.connections.lost + held.connections.lost,
            limits.connections_lost,
            "connections that ended under the client",
        ),
        Check {
            aspect: Aspect::Infrastructure,
            name: "requests_scheduled",
            pass: scheduled >= REQUESTS_MIN,
            value: scheduled as f64,
            limit: format!("≥ {REQUESTS_MIN}"),
            meaning: "requests whose time came: enough to say something about them",
        },
    ];
    if let Some(limit) = limits.p99 {
        let limit = milliseconds(limit);
        checks.push(Check {
            aspect: Aspect::Hypothesis,
            name: "latency_p99_ms",
            pass: load.latency_ms.p99 <= limit,
            value: load.latency_ms.p99,
            limit: format!("≤ {limit}"),
            meaning: "latency of 99 % of the requests, from their intended time",
        });
    }
    if let Some(flood) = &storm.flood {
        checks.push(Check {
            aspect: Aspect::Hypothesis,
            name: "flood_turned_away",
            pass: flood.failed == 0 && flood.ok > 0,
            value: flood.failed as f64,
            limit: format!("= 0 of {}", flood.scheduled),
            meaning: "callers without tokens that did not get their 401",
        });
    }
    checks
}

/// What became of the workers that were killed.
fn kill_checks(storm: &Storm, planned: usize) -> [Check; 3] {
    let killed = storm.kills.iter().filter(|kill| kill.error.is_none()).count();
    let planned = if storm.interrupted { storm.kills.len().max(1) } else { planned };
    let came_back = storm.kills.iter().filter(|kill| kill.came_back).count();
    let carried_over: usize = storm.kills.iter().map(|kill| kill.exchanges_moved).sum();
    [
        Check::all(
            Aspect::Injection,
            "workers_killed",
            killed,
            planned,
            "kills carried out, of those planned",
        ),
        Check::all(
            Aspect::Revert,
            "workers_came_back",
            came_back,
            killed,
            "killed workers whose successor was seen at work",
        ),
        Check {
            aspect: Aspect::Injection,
            name: "requests_carried_over",
            pass: carried_over > 0,
            value: carried_over as f64,
            limit: "> 0".to_owned(),
            meaning: "requests in flight at a killed worker that went on at another: the kills met some",
        },
    ]
}

/// What became of the faults that the gateway was given; none if there were none.
fn fault_checks(faults: &[FaultEvent]) -> Vec<Check> {
    if faults.is_empty() {
        return Vec::new();
    }
    let took_hold = faults.iter().filter(|fault| fault.took_hold).count();
    let over = faults.iter().filter(|fault| fault.until_s.is_some()).count();
    let put = faults.iter().filter(|fault| fault.error.is_none()).count();
    vec![
        Check::all(
            Aspect::Injection,
            "faults_took_hold",
            took_hold,
            faults.len(),
            "faults that the gateway was seen to have in force, of those that were due",
        ),
        Check::all(
            Aspect::Revert,
            "faults_over",
            over,
            put,
            "faults that were seen to be over, of those that were put",
        ),
    ]
}

/// Whether the rest stands on firm ground: tokens, generator, memory.
fn ground_checks(storm: &Storm, preflight: &Preflight, rss_growth_max: i64) -> Vec<Check> {
    let growth = storm.rss_growth();
    let lag = storm.load.generator_lag_ms.p99;
    let mut checks = vec![
        Check {
            aspect: Aspect::Hypothesis,
            name: "tokens_enforced",
            pass: preflight.is_right(),
            value: f64::from(u8::from(preflight.is_right())),
            limit: "= 1".to_owned(),
            meaning: "a request with a valid token is let in; without one, or with a tampered one, it gets 401",
        },
        Check {
            aspect: Aspect::Infrastructure,
            name: "generator_lag_p99_ms",
            pass: lag <= GENERATOR_LAG_P99_MS_MAX,
            value: lag,
            limit: format!("≤ {GENERATOR_LAG_P99_MS_MAX}"),
            meaning: "lateness of the load generator itself: the offered rate really was offered",
        },
        Check {
            aspect: Aspect::Hypothesis,
            name: "rss_growth_bytes",
            pass: growth <= rss_growth_max,
            value: growth as f64,
            limit: format!("≤ {rss_growth_max}"),
            meaning: "growth of the process's resident memory, from the end of the warm-up to the end",
        },
    ];
    if let Some(oom) = storm.oom_events {
        checks.push(Check::at_most("oom_events", oom, 0, "processes killed for lack of memory"));
    }
    checks
}

impl Storm {
    /// Growth of resident memory, which may be negative.
    pub(crate) fn rss_growth(&self) -> i64 {
        self.rss_end.cast_signed() - self.rss_start.cast_signed()
    }
}

#[cfg(test)]
pub(crate) mod tests;
