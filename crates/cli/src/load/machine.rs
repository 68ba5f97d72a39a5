//! What the machine takes away from a run: stolen CPU time and the limit of descriptors.

/// Counters of CPU time since boot, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuTicks {
    total: u64,
    steal: u64,
}

impl CpuTicks {
    /// Now; all 0 where the system does not tell.
    pub(crate) fn now() -> Self {
        std::fs::read_to_string("/proc/stat").map_or_else(|_| Self::default(), |s| Self::of(&s))
    }

    fn of(stat: &str) -> Self {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or_default();
        // user nice system idle iowait irq softirq steal; guest time is part of user.
        let ticks = line.split_whitespace().take(8).map(|tick| tick.parse::<u64>().unwrap_or(0));
        let ticks: Vec<u64> = ticks.collect();
        Self { total: ticks.iter().sum(), steal: ticks.get(7).copied().unwrap_or(0) }
    }

    /// Share of the time since `earlier` that the hypervisor gave to others.
    pub(crate) fn steal_share_since(self, earlier: Self) -> f64 {
        let total = self.total.saturating_sub(earlier.total);
        self.steal.saturating_sub(earlier.steal) as f64 / total.max(1) as f64
    }
}

/// Descriptors that this process may have; `None`: no limit.
pub(crate) fn descriptors_max() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(test)]
mod tests {
    use super::CpuTicks;

    #[test]
    fn steal_is_the_eighth_figure_and_guests_are_not_counted_twice() {
        let before = CpuTicks::of("cpu  10 0 10 70 0 0 0 10 5 5\ncpu0 1 1 1 1 1 1 1 1\n");
        assert_eq!(before, CpuTicks { total: 100, steal: 10 });
        let after = CpuTicks { total: 300, steal: 30 };
        assert!((after.steal_share_since(before) - 0.1).abs() < 1e-9);
        assert_eq!(CpuTicks::of("nonsense"), CpuTicks::default());
        assert!(before.steal_share_since(before).abs() < 1e-9);
    }
}
