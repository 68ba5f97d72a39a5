//! The workers, from outside: how many there are to be, how they are, and how one is killed.

use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use bulkhead_config::Config;

use super::Gateway;
use crate::evacuation::KillReport;
use crate::placement::Placement;

/// Most workers that may be asked for.
pub const WORKERS_MAX: usize = 1024;
/// How long a kill may take before it is called failed.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a worker could not be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KillError {
    /// No worker has this index.
    #[error("there is no worker {0}")]
    Unknown(usize),
    /// It is being killed already.
    #[error("worker {0} is being killed already")]
    Dying(usize),
    /// The gateway drains: a worker's siblings are leaving too, and have no successors.
    #[error("the gateway is draining: worker {0} ends by itself")]
    Draining(usize),
    /// Its evacuation did not end in time.
    #[error("worker {0} was not evacuated within 10 s")]
    Timeout(usize),
}

/// A worker, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Its number, from 0.
    pub index: usize,
    /// How many predecessors it had.
    pub generation: u64,
    /// Whether its loop turns.
    pub alive: bool,
    /// Connections, downstream and upstream, at its last look.
    pub connections: usize,
    /// Exchanges in flight at its last look.
    pub exchanges: usize,
    /// Goes up once a second while its loop turns.
    pub beats: u64,
    /// CPU time of its thread, user and system.
    pub cpu_time: Duration,
}

/// Kills and what became of the connections, over the life of the gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvacuationTotals {
    /// Workers killed, by fault or panic.
    pub killed: u64,
    /// Downstream connections that went on at a sibling.
    pub evacuated_connections: u64,
    /// Downstream connections that were lost.
    pub lost_connections: u64,
}

impl Gateway {
    /// Resizes the pool if the configuration says another number than the one before. A number that
    /// was set at run time stays otherwise.
    pub(super) fn follow_workers(&self, config: &Config) {
        let mut configured =
            self.workers_configured.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *configured == config.workers {
            return;
        }
        *configured = config.workers;
        let workers = wanted_workers(config, &self.shared.placement);
        // Where threads are short the configuration is in force nevertheless, with as many as there are.
        let _ = self.resize_now(workers);
    }

    /// Kills a worker: its loop ends at the next event, wherever it is. Comes back when what it
    /// served is with its siblings and its successor has started.
    ///
    /// # Errors
    /// [`KillError`].
    pub fn kill_worker(&self, index: usize) -> Result<KillReport, KillError> {
        self.end_worker(index, false)
    }

    /// Kills a worker, and with it all that it serves. Comes back when its successor has started.
    ///
    /// # Errors
    /// [`KillError`].
    pub fn crash_worker(&self, index: usize) -> Result<KillReport, KillError> {
        self.end_worker(index, true)
    }

    fn end_worker(&self, index: usize, crash: bool) -> Result<KillReport, KillError> {
        let (reporter, report) = sync_channel(1);
        let slot = {
            let state = self.shared.state();
            let slot = state.slots.get(index).cloned().ok_or(KillError::Unknown(index))?;
            if state.stopping {
                return Err(KillError::Draining(index));
            }
            slot
        };
        if !slot.is_open() || slot.killed.load(Ordering::Relaxed) {
            return Err(KillError::Dying(index));
        }
        self.shared.await_evacuation(&slot, reporter);
        slot.crashed.store(crash, Ordering::Relaxed);
        slot.kill();
        report.recv_timeout(KILL_TIMEOUT).map_err(|_| KillError::Timeout(index))
    }

    /// The workers, by index.
    pub fn workers(&self) -> Vec<WorkerStatus> {
        let state = self.shared.state();
        state
            .slots
            .iter()
            .map(|slot| {
                let thread = slot.thread_id.load(Ordering::Relaxed);
                WorkerStatus {
                    index: slot.index,
                    generation: slot.generation,
                    alive: thread != 0 && slot.is_open(),
                    connections: slot.connections.load(Ordering::Relaxed),
                    exchanges: slot.exchanges.load(Ordering::Relaxed),
                    beats: slot.beats.load(Ordering::Relaxed),
                    cpu_time: thread_cpu_time(thread),
                }
            })
            .collect()
    }

    /// CPU time of all workers there ever were.
    pub fn cpu_time(&self) -> Duration {
        let dead = Duration::from_nanos(self.shared.totals.dead_cpu_ns.load(Ordering::Relaxed));
        dead + self.workers().iter().map(|worker| worker.cpu_time).sum::<Duration>()
    }

    /// Kills and what became of the connections so far.
    pub fn evacuation_totals(&self) -> EvacuationTotals {
        let totals = &self.shared.totals;
        EvacuationTotals {
            killed: totals.killed.load(Ordering::Relaxed),
            evacuated_connections: totals.evacuated_connections.load(Ordering::Relaxed),
            lost_connections: totals.lost_connections.load(Ordering::Relaxed),
        }
    }
}

/// As many as the configuration asks for.
pub(super) fn wanted_workers(config: &Config, placement: &Placement) -> usize {
    let wanted = config.workers.or_else(|| placement.workers(&config.worker_affinity));
    wanted.unwrap_or_else(default_workers).clamp(1, WORKERS_MAX)
}

/// As many workers as the cgroup and the affinity mask grant CPUs.
fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// CPU time of a thread of this process, from the kernel's scheduler statistics.
fn thread_cpu_time(thread: u64) -> Duration {
    if thread == 0 {
        return Duration::ZERO;
    }
    std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat"))
        .ok()
        .and_then(|text| text.split_ascii_whitespace().next()?.parse().ok())
        .map_or(Duration::ZERO, Duration::from_nanos)
}
