//! The criteria. Each is a fact that was measured beside the limit that it must keep.

use serde::Serialize;

use super::preflight::Preflight;
use super::storm::Storm;

/// The generator may be this late, at its 99th percentile. Latency counts from the intended time, so
/// that lateness makes results worse, never better; beyond this the offered rate was not offered.
const GENERATOR_LAG_P99_MS_MAX: f64 = 100.0;
/// Resident memory of the whole process (gateway, generator, upstreams) may grow by this much.
const RSS_GROWTH_BYTES_MAX: i64 = 64 << 20;

/// One criterion.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Check {
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
    fn none(name: &'static str, value: u64, meaning: &'static str) -> Self {
        Self { name, pass: value == 0, value: value as f64, limit: "= 0".to_owned(), meaning }
    }

    fn all(name: &'static str, value: usize, of: usize, meaning: &'static str) -> Self {
        let pass = value == of && of > 0;
        Self { name, pass, value: value as f64, limit: format!("= {of}"), meaning }
    }
}

/// All criteria, in the order in which they are shown. `planned` is how many kills should have
/// happened, which for an interrupted run is how many came before the interruption, but at least one:
/// a run that killed nobody shows nothing.
pub(crate) fn checks(
    storm: &Storm,
    preflight: &Preflight,
    planned: usize,
    workers: usize,
) -> Vec<Check> {
    let mut checks = request_checks(storm).to_vec();
    checks.extend(worker_checks(storm, planned, workers));
    checks.extend(ground_checks(storm, preflight));
    checks
}

/// What the clients saw.
fn request_checks(storm: &Storm) -> [Check; 4] {
    let (load, held) = (&storm.load, &storm.held);
    [
        Check {
            name: "requests_answered",
            pass: load.ok > 0,
            value: (load.ok + held.ok) as f64,
            limit: "> 0".to_owned(),
            meaning: "requests got their right answer: status, headers, every byte of the body, trailers",
        },
        Check::none(
            "requests_failed",
            load.failed + held.failed,
            "requests without their right answer, for whatever reason; nothing is retried by the client",
        ),
        Check::none(
            "connections_lost",
            storm.lost_connections,
            "client connections that the gateway could not carry over to another worker",
        ),
        Check::none(
            "connections_lost_seen_by_client",
            load.connections.lost + held.connections.lost,
            "connections that ended under the client",
        ),
    ]
}

/// What became of the workers.
fn worker_checks(storm: &Storm, planned: usize, workers: usize) -> [Check; 4] {
    let killed = storm.kills.iter().filter(|kill| kill.error.is_none()).count();
    let planned = if storm.interrupted { storm.kills.len().max(1) } else { planned };
    let came_back = storm.kills.iter().filter(|kill| kill.came_back).count();
    let carried_over: usize = storm.kills.iter().map(|kill| kill.exchanges_moved).sum();
    [
        Check::all("workers_killed", killed, planned, "kills carried out, of those planned"),
        Check::all(
            "workers_came_back",
            came_back,
            killed.max(1),
            "killed workers whose successor was seen at work",
        ),
        Check::all(
            "workers_alive_at_end",
            storm.workers_alive,
            workers,
            "workers at work when it was over",
        ),
        Check {
            name: "requests_carried_over",
            pass: carried_over > 0,
            value: carried_over as f64,
            limit: "> 0".to_owned(),
            meaning: "requests in flight at a killed worker that went on at another: the kills met some",
        },
    ]
}

/// Whether the rest stands on firm ground: tokens, generator, memory.
fn ground_checks(storm: &Storm, preflight: &Preflight) -> Vec<Check> {
    let growth = storm.rss_growth();
    let lag = storm.load.generator_lag_ms.p99;
    let mut checks = vec![
        Check {
            name: "tokens_enforced",
            pass: preflight.is_right(),
            value: f64::from(u8::from(preflight.is_right())),
            limit: "= 1".to_owned(),
            meaning: "a request with a valid token is let in; without one, or with a tampered one, it gets 401",
        },
        Check {
            name: "generator_lag_p99_ms",
            pass: lag <= GENERATOR_LAG_P99_MS_MAX,
            value: lag,
            limit: format!("≤ {GENERATOR_LAG_P99_MS_MAX}"),
            meaning: "lateness of the load generator itself: the offered rate really was offered",
        },
        Check {
            name: "rss_growth_bytes",
            pass: growth <= RSS_GROWTH_BYTES_MAX,
            value: growth as f64,
            limit: format!("≤ {RSS_GROWTH_BYTES_MAX} (64 MiB)"),
            meaning: "growth of the process's resident memory, from the end of the warm-up to the end",
        },
    ];
    if let Some(oom) = storm.oom_events {
        checks.push(Check::none("oom_events", oom, "processes killed for lack of memory"));
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
