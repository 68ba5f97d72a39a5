//! Chaos as data: which faults there are, for what, for how long, and what may become of them.
//!
//! Pure: no clock, no thread, no socket. The same seed gives the same plan on every machine, so that
//! a run can be repeated from its report. Carrying it out is the business of `bulkhead-lab`.

mod audit;
mod blast_radius;
mod engine;
mod fault;
mod id;
mod interface;
mod journal;
mod kill_plan;
mod life_cycle;
mod link;
mod metrics;
mod named_target;
mod order;
mod random;
mod report;
mod request;
mod rule;
mod safety;
mod statistics;
mod verdict;

pub use audit::{AUDIT_GENESIS, AuditEntry, AuditError, AuditHead};
pub use blast_radius::{
    BlastRadius, BlastRadiusError, CANDIDATES_MAX, Candidate, Extent, Rounding, Victims,
};
pub use engine::{
    Answer, CALLS_MAX, CONCURRENT_MAX, Call, Command, Ending, Engine, EngineOptions, Happening,
    ID_AHEAD_MAX, Injection, InjectionReport, Number, OptionsError, Rejection, Submission,
    Submitted,
};
pub use fault::{
    Amount, Bandwidth, Delay, Direction, Distribution, Dns, DnsFailure, FAULT_KINDS, Fault,
    FaultKind, GatewayFault, HostFault, HostFaultError, HttpFault, Loss, LossModel, NetworkFault,
    NetworkFaultError, Partition, Per, ProcessFault, Reorder, ReorderPolicy, Reset, Share, gateway,
    http,
};
pub use id::{ChaosId, ChaosIdError};
pub use interface::{
    CarrierChoice, InterfaceEnd, InterfaceError, InterfaceTarget, PacketMatch, Scope, Strike,
    Transport,
};
pub use journal::{DamagedJournal, Record, Recovered, Remembered};
pub use kill_plan::{Kill, KillPlan, KillPlanError, Kills};
pub use life_cycle::{IllegalTransition, State};
pub use link::{
    Arrival, COPIES_MAX, DnsAct, Expectation, HELD_BYTES_MAX, HELD_PACKETS_MAX, Impairment, Jitter,
    JitterLaw, Judgement, Lane, LaneCounts, LinkFault, LossLaw, PacketKind, Pushed, Released,
    Reply, ResetLaw, STAGES_MAX, StageKey, StageReport, Tally, TcpPacket, TooManyFaults,
};
pub use metrics::{MetricSeries, metric_series, metric_sum};
pub use named_target::{NamedTarget, ProcessName};
pub use order::{Order, TIME_TO_LIVE_DEFAULT, TIME_TO_LIVE_MAX, Target};
pub use random::Random;
pub use report::{
    Effect, FaultRefusal, FaultReport, FaultState, GROUP_BUCKETS_PER_DOUBLING, GroupReport,
    GroupReports, Placed,
};
pub use request::{ABORT_MAX, InjectRequest, Plan, RequestError, TimeToLive};
pub use rule::{FaultRule, FaultRuleError, RULE_ID_BYTES_MAX};
pub use safety::{
    ABORT_SAMPLE_INTERVAL, APPROVAL_MS_MAX, APPROVALS_MAX, AbortCondition, AbortWatch, Actor,
    Approval, Approvals, Caller, Comparison, ENVIRONMENT_LABEL, Forbidden, Policy, PolicyError,
    Role, Sample, Weekday, Window, order_sha256,
};
pub use statistics::{
    ErrorBudget, GroupCriteria, GroupMeasure, Interval, LatencyComparison, LatencyCriterion,
    Measured, Proportion, QuantileComparison, ShareComparison, compare_latencies,
    compare_quantiles, compare_shares, recovery_time,
};
pub use verdict::{Answered, Objective, Outcome, Verdict};
