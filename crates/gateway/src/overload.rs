//! A worker under pressure: measures it, sheds requests, pauses accepting, and keeps the learnt
//! concurrency limits of clusters told.

use std::fs;
use std::path::Path;

use bulkhead_config::model::MemoryMax;
use bulkhead_message::{Failure, FailureKind, Priority};
use bulkhead_telemetry::Shard;
use bulkhead_upstream::AttemptOutcome;

use crate::arena::Key;
use crate::clock;
use crate::pressure::{MEMORY_INTERVAL, Pressure};
use crate::worker::Worker;

/// The ceiling in bytes that a configuration asks for; 0: none.
pub(crate) fn memory_ceiling(memory_max: MemoryMax) -> u64 {
    match memory_max {
        MemoryMax::Off => 0,
        MemoryMax::Bytes(bytes) => bytes,
        MemoryMax::Cgroup => cgroup_memory_limit().map_or(0, |limit| limit / 10 * 9),
    }
}

/// The lowest memory limit of our cgroup and those above it (version 2: `memory.max`, version 1:
/// `memory.limit_in_bytes`). `None`: no limit, or no cgroups here.
fn cgroup_memory_limit() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    own.lines().filter_map(limit_of).min()
}

/// Of one line of `/proc/self/cgroup`: `HIERARCHY:CONTROLLERS:PATH`.
fn limit_of(line: &str) -> Option<u64> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let (mount, file) = match controllers {
        "" => ("/sys/fs/cgroup", "memory.max"),
        _ if controllers.split(',').any(|name| name == "memory") => {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return None,
    };
    // In a container the path may be the host's: then only the mount's root can be read.
    let path = Path::new(path.trim_start_matches('/'));
    let limits = path.ancestors().filter_map(|path| {
        let text = fs::read_to_string(Path::new(mount).join(path).join(file)).ok()?;
        // `max`, and version 1's huge number, are no limits.
        text.trim().parse::<u64>().ok().filter(|bytes| *bytes < 1 << 60)
    });
    limits.min()
}

/// Whether a request of this priority is served, before anything is spent on it.
#[inline]
pub(crate) fn shed_under(
    pressure: &Pressure,
    priority: Priority,
    shard: &Shard,
) -> Result<(), Failure> {
    let Some(reason) = pressure.sheds(priority) else { return Ok(()) };
    shard.shed(reason);
    Err(Failure::gateway(FailureKind::Overloaded, "shed: the gateway is under pressure"))
}

impl Worker {
    /// Measures the pressure at the end of a turn, if the configuration asks for it.
    pub(crate) fn feel_pressure(&mut self) {
        let (ceiling, delay_max) = (self.snapshot.memory_ceiling, self.snapshot.loop_delay_max);
        if ceiling == 0 && delay_max.is_none() {
            return;
        }
        let before = self.pressure.level();
        match delay_max {
            Some(max) => {
                let length = clock::now().saturating_duration_since(self.now);
                self.pressure.turn_took(length, max);
            }
            None => self.pressure.forget_turns(),
        }
        if ceiling == 0 {
            self.pressure.forget_memory();
        } else if self.pressure.next_look.is_none_or(|due| due <= self.now) {
            self.pressure.next_look = Some(self.now + MEMORY_INTERVAL);
            if let Some(resident) = bulkhead_telemetry::resident_bytes() {
                self.pressure.memory_is(resident, ceiling);
            }
        }
        let level = self.pressure.level();
        if level != before {
            self.shard.set_pressure(level as u64);
            // Connections that were left in the queues raise no event by themselves.
            self.accept_again();
        }
    }

    /// The pressure of a configuration that watches nothing is none.
    pub(crate) fn relieve(&mut self) {
        if self.snapshot.memory_ceiling == 0 {
            self.pressure.forget_memory();
        }
        if self.snapshot.loop_delay_max.is_none() {
            self.pressure.forget_turns();
        }
        self.shard.set_pressure(self.pressure.level() as u64);
    }

    /// Counts an attempt in its cluster's concurrency limit, or refuses it.
    pub(crate) fn begin_waiting(&mut self, key: Key) -> Result<(), Failure> {
        let Self { exchanges, clusters, .. } = self;
        // One that was taken over from a sibling is counted already.
        let Some(exchange) = exchanges.get_mut(key).filter(|exchange| !exchange.limited) else {
            return Ok(());
        };
        let Some(cluster) = exchange.cluster.and_then(|id| clusters.get_mut(id)) else {
            return Ok(());
        };
        let Some(limit) = cluster.pool.concurrency() else { return Ok(()) };
        let route = exchange.route.map(|route| exchange.snapshot.route(route));
        let priority = route.map_or(Priority::Default, |route| route.priority);
        if !limit.admits(priority) {
            self.shard.shed("concurrency");
            self.shard.cluster_shed(cluster.entry.series);
            let detail = "shed: the cluster is at its concurrency limit";
            return Err(Failure::gateway(FailureKind::Overloaded, detail));
        }
        limit.started();
        exchange.limited = true;
        Ok(())
    }

    /// The response head of an attempt is here.
    pub(crate) fn waited(&mut self, key: Key, status: u16) {
        // The service says itself that it has too much.
        let refused = matches!(status, 429 | 503);
        self.end_waiting(key, if refused { Wait::Failed } else { Wait::Answered });
    }

    /// An attempt is over; if it still waits, it ends so.
    pub(crate) fn end_waiting(&mut self, key: Key, how: Wait) {
        let Self { exchanges, clusters, .. } = self;
        let Some(exchange) = exchanges.get_mut(key).filter(|exchange| exchange.limited) else {
            return;
        };
        exchange.limited = false;
        let Some(cluster) = exchange.cluster.and_then(|id| clusters.get_mut(id)) else { return };
        let Some(limit) = cluster.pool.concurrency() else { return };
        let latency = self.now.saturating_duration_since(exchange.attempt_started);
        match how {
            Wait::Answered => limit.answered(self.now, latency),
            Wait::Failed => limit.failed(self.now, latency),
            Wait::Abandoned => limit.abandoned(),
        }
        self.shard.set_concurrency_limit(cluster.entry.series, limit.limit().into());
    }
}

/// How the wait for a response head ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Answered,
    Failed,
    Abandoned,
}

impl Wait {
    /// Of an attempt that ended before its head came.
    pub(crate) const fn of(outcome: AttemptOutcome) -> Self {
        match outcome {
            AttemptOutcome::Success | AttemptOutcome::ServerError(_) => Self::Answered,
            AttemptOutcome::Failure => Self::Failed,
            AttemptOutcome::Neutral => Self::Abandoned,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ceiling_is_what_was_asked_for() {
        assert_eq!(memory_ceiling(MemoryMax::Off), 0);
        assert_eq!(memory_ceiling(MemoryMax::Bytes(7)), 7);
        // Whatever this machine has, a limit is never so large that it is none.
        assert!(memory_ceiling(MemoryMax::Cgroup) < 1 << 60);
    }

    #[test]
    fn lines_without_a_memory_controller_say_nothing() {
        assert_eq!(limit_of("3:cpu,cpuacct:/x"), None);
        assert_eq!(limit_of("nonsense"), None);
    }
}
