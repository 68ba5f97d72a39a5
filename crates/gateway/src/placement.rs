//! On which CPUs the workers run: pinned one by one, or held to a node of the memory (NUMA).
//!
//! A worker's thread is pinned before it allocates anything, so that its buffers, tables and pools
//! come from the memory of its own node: the kernel gives memory where it is first touched.

use std::path::Path;

use bulkhead_config::model::WorkerAffinity;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Where the kernel describes the nodes.
const NODES: &str = "/sys/devices/system/node";

/// The CPUs of each worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placement {
    /// Worker `i` runs on the set at `i` modulo their number; none: anywhere.
    sets: Vec<Vec<usize>>,
}

impl Placement {
    /// `allowed`: CPUs that the process may use, in ascending order; `nodes`: those of each node.
    fn new(
        affinity: &WorkerAffinity,
        numa: bool,
        allowed: &[usize],
        nodes: &[Vec<usize>],
    ) -> Result<Self, String> {
        let own = |cpus: &[usize]| -> Vec<usize> {
            cpus.iter().copied().filter(|cpu| allowed.contains(cpu)).collect()
        };
        let nodes: Vec<Vec<usize>> =
            nodes.iter().map(|node| own(node)).filter(|node| !node.is_empty()).collect();
        let several = numa && nodes.len() > 1;
        let sets = match affinity {
            WorkerAffinity::Off if several => nodes,
            WorkerAffinity::Off => Vec::new(),
            WorkerAffinity::Auto if several => spread(&nodes),
            WorkerAffinity::Auto => allowed.iter().map(|cpu| vec![*cpu]).collect(),
            WorkerAffinity::Cpus(cpus) => {
                let refused = cpus.iter().find(|cpu| !allowed.contains(cpu));
                if let Some(refused) = refused {
                    return Err(format!("CPU {refused} is not among those of this process"));
                }
                cpus.iter().map(|cpu| vec![*cpu]).collect()
            }
        };
        Ok(Self { sets })
    }

    /// For this process, on this machine.
    pub(crate) fn of_process(affinity: &WorkerAffinity, numa: bool) -> std::io::Result<Self> {
        if *affinity == WorkerAffinity::Off && !numa {
            return Ok(Self::default());
        }
        // The cgroup's cpuset is in it already.
        let mask = sched_getaffinity(None)?;
        let allowed: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| mask.is_set(*cpu)).collect();
        let nodes = if numa { nodes(Path::new(NODES)) } else { Vec::new() };
        Self::new(affinity, numa, &allowed, &nodes).map_err(std::io::Error::other)
    }

    /// How many workers fill it; `None`: any number.
    pub(crate) fn workers(&self, affinity: &WorkerAffinity) -> Option<usize> {
        matches!(affinity, WorkerAffinity::Cpus(_)).then_some(self.sets.len())
    }

    fn cpus(&self, worker: usize) -> Option<&[usize]> {
        self.sets.get(worker.checked_rem(self.sets.len())?).map(Vec::as_slice)
    }

    /// Keeps the calling thread, which is to be this worker's, on its CPUs.
    pub(crate) fn pin(&self, worker: usize) {
        let Some(cpus) = self.cpus(worker) else { return };
        let mut set = CpuSet::new();
        cpus.iter().filter(|cpu| **cpu < CpuSet::MAX_CPU).for_each(|cpu| set.set(*cpu));
        // A CPU that was taken offline since: it runs anywhere then, as without pinning.
        let _ = sched_setaffinity(None, &set);
    }
}

/// One CPU of each node in turn.
fn spread(nodes: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let longest = nodes.iter().map(Vec::len).max().unwrap_or(0);
    let turn = |at: usize| nodes.iter().filter_map(move |node| node.get(at).map(|cpu| vec![*cpu]));
    (0..longest).flat_map(turn).collect()
}

/// The CPUs of each node, by its number; none where the kernel tells of none.
fn nodes(directory: &Path) -> Vec<Vec<usize>> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut nodes: Vec<(usize, Vec<usize>)> = entries
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix("node")?.parse().ok()?;
            let list = std::fs::read_to_string(entry.path().join("cpulist")).ok()?;
            Some((number, cpu_list(&list)?))
        })
        .collect();
    nodes.sort_unstable();
    nodes.into_iter().map(|(_, cpus)| cpus).collect()
}

/// `0-3,8,10-11`, as the kernel writes it.
fn cpu_list(text: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for range in text.trim().split(',').filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
        cpus.extend(first..=last.min(CpuSet::MAX_CPU));
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(affinity: &WorkerAffinity, numa: bool, expect: &[&[usize]]) {
        let nodes = [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8]];
        let placement = Placement::new(affinity, numa, &[1, 2, 4, 5, 6], &nodes).unwrap();
        let sets: Vec<&[usize]> = placement.sets.iter().map(Vec::as_slice).collect();
        assert_eq!(sets, expect);
    }

    #[test]
    fn only_cpus_of_the_process_are_used() {
        check(&WorkerAffinity::Off, false, &[]);
        check(&WorkerAffinity::Off, true, &[&[1, 2], &[4, 5, 6]]);
        check(&WorkerAffinity::Auto, false, &[&[1], &[2], &[4], &[5], &[6]]);
        check(&WorkerAffinity::Auto, true, &[&[1], &[4], &[2], &[5], &[6]]);
        check(&WorkerAffinity::Cpus(vec![6, 1]), true, &[&[6], &[1]]);
        let refused = Placement::new(&WorkerAffinity::Cpus(vec![3]), false, &[0, 1], &[]);
        assert!(refused.unwrap_err().contains("CPU 3"));
    }

    #[test]
    fn workers_go_round() {
        let placement = Placement { sets: vec![vec![3], vec![5]] };
        assert_eq!(placement.cpus(0), Some(&[3][..]));
        assert_eq!(placement.cpus(3), Some(&[5][..]));
        assert_eq!(Placement::default().cpus(3), None);
    }

    #[test]
    fn lists_of_the_kernel_are_read() {
        assert_eq!(cpu_list("0-3,8,10-11\n"), Some(vec![0, 1, 2, 3, 8, 10, 11]));
        assert_eq!(cpu_list("\n"), Some(vec![]));
        assert_eq!(cpu_list("0-x"), None);
        assert!(nodes(Path::new("/nowhere")).is_empty());
    }

    #[test]
    fn a_pinned_thread_runs_where_it_was_put() {
        let mask = sched_getaffinity(None).unwrap();
        let own = (0..CpuSet::MAX_CPU).rfind(|cpu| mask.is_set(*cpu)).unwrap();
        let placement = Placement::of_process(&WorkerAffinity::Cpus(vec![own]), false).unwrap();
        std::thread::spawn(move || {
            placement.pin(0);
            let now = sched_getaffinity(None).unwrap();
            assert!(now.is_set(own));
            assert_eq!(now.count(), 1);
        })
        .join()
        .unwrap();
    }
}
