//! `host.cpu`: threads that compute. Seen by the time that the scheduler has given them.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use bulkhead_chaos::Target;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

use super::cgroup;
use super::task::{Kept, Look, Work};
use crate::{Evidence, Refusal};

/// In each of these a thread computes for its share and rests for the remainder.
const PERIOD: Duration = Duration::from_millis(10);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cpu {
    threads: u16,
    percent: f64,
    pub(super) join: Option<PathBuf>,
}

impl Cpu {
    pub(super) fn prepare(
        threads: u16,
        percent: f64,
        target: &Target,
    ) -> Result<(Self, String), Refusal> {
        let (group, note) = cgroup::to_join(target, "cpu")?;
        let join = group.map(|group| group.processes());
        Ok((Self { threads, percent, join }, note))
    }

    /// Whether the threads are there, and compute.
    pub(super) fn look(&self, pid: u32) -> io::Result<Look<'_>> {
        let (_, before) = computed(pid)?;
        Ok(Box::new(move || {
            let (threads, now) = computed(pid).unwrap_or_default();
            let grown = now.saturating_sub(before);
            let wanted = usize::from(self.threads) + 1;
            let holds = threads >= wanted && !grown.is_zero();
            let seen = format!("{threads} threads of process {pid} computed for {grown:?}");
            Evidence { holds, seen }
        }))
    }
}

/// Threads of a process and the time they have computed; proc_pid_schedstat(5).
fn computed(pid: u32) -> io::Result<(usize, Duration)> {
    let (mut threads, mut nanos) = (0, 0);
    for task in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        let text = fs::read_to_string(task.path().join("schedstat"))?;
        let first = text.split_ascii_whitespace().next().and_then(|it| it.parse::<u64>().ok());
        nanos += first.ok_or(io::ErrorKind::InvalidData)?;
        threads += 1;
    }
    Ok((threads, Duration::from_nanos(nanos)))
}

impl Work for Cpu {
    fn begin(&self) -> io::Result<Kept> {
        let allowed = sched_getaffinity(None)?;
        let allowed: Vec<usize> =
            (0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor)).collect();
        let busy = PERIOD.mul_f64(self.percent / 100.0);
        for number in 0..usize::from(self.threads) {
            let processor = allowed.get(number % allowed.len().max(1)).copied();
            thread::Builder::new().name("stress-cpu".to_owned()).spawn(move || {
                compute(processor, busy);
            })?;
        }
        Ok(Kept::Nothing)
    }
}

fn compute(processor: Option<usize>, busy: Duration) {
    if let Some(processor) = processor {
        let mut only = CpuSet::new();
        only.set(processor);
        // Where the group forbids it, it computes on any.
        let _ = sched_setaffinity(None, &only);
    }
    loop {
        let begin = Instant::now();
        while begin.elapsed() < busy {
            std::hint::spin_loop();
        }
        let rest = PERIOD.saturating_sub(begin.elapsed());
        if busy < PERIOD && !rest.is_zero() {
            thread::sleep(rest);
        }
    }
}
