//! Chaos as data: which faults there are, for what, for how long, and what may become of them.
//!
//! Pure: no clock, no thread, no socket. The same seed gives the same plan on every machine, so that
//! a run can be repeated from its report. Carrying it out is the business of `bulkhead-lab`.

mod fault;
mod id;
mod kill_plan;
mod link;
mod order;
mod random;

pub use fault::{
    Bandwidth, Delay, Direction, Distribution, Dns, DnsFailure, Fault, GatewayFault, HostFault,
    HttpFault, Loss, LossModel, NetworkFault, NetworkFaultError, Partition, Per, ProcessFault,
    Reorder, ReorderPolicy, Reset, Share,
};
pub use id::{ChaosId, ChaosIdError};
pub use kill_plan::{Kill, KillPlan, KillPlanError, Kills};
pub use link::{
    COPIES_MAX, DnsAct, Expectation, HELD_BYTES_MAX, HELD_PACKETS_MAX, Impairment, Jitter,
    JitterLaw, Judgement, Lane, LaneCounts, LinkFault, LossLaw, PacketKind, Pushed, Released,
    Reply, STAGES_MAX, StageKey, StageReport, Tally, TooManyFaults,
};
pub use order::{Order, TIME_TO_LIVE_DEFAULT, TIME_TO_LIVE_MAX, Target};
pub use random::Random;
