//! What is done when not everything can be served.

use std::time::Duration;

/// Pressure on the whole process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overload {
    /// Ceiling of the resident memory.
    pub memory_max: MemoryMax,
    /// Average length of a turn of a worker's loop; `None`: not watched. Default none.
    pub loop_delay_max: Option<Duration>,
}

/// Ceiling of the resident memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemoryMax {
    /// Nine tenths of the cgroup's limit, if there is one.
    #[default]
    Cgroup,
    /// None.
    Off,
    /// So many bytes.
    Bytes(u64),
}

/// A limit on concurrency that follows latency. Counts per worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdaptiveConcurrency {
    /// Limit to begin with. Default 100.
    pub initial: u32,
    /// Lowest limit. Default 2.
    pub min: u32,
    /// Highest limit. Default 1,000.
    pub max: u32,
    /// Percent by which the median latency may exceed the best. Default 25.
    pub tolerance_percent: u32,
    /// Time over which latencies are collected. Default 100 ms.
    pub window: Duration,
    /// How often the best median is measured anew. Default 30 s.
    pub probe_interval: Duration,
}

impl Default for AdaptiveConcurrency {
    fn default() -> Self {
        Self {
            initial: 100,
            min: 2,
            max: 1_000,
            tolerance_percent: 25,
            window: Duration::from_millis(100),
            probe_interval: Duration::from_secs(30),
        }
    }
}
