//! Where the workers run.

/// Which CPUs the workers are pinned to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WorkerAffinity {
    /// The kernel decides, and moves them.
    #[default]
    Off,
    /// Each worker to one of the CPUs that the process may use.
    Auto,
    /// Each worker to one of these, by the numbers of the kernel, in this order.
    Cpus(Vec<usize>),
}
