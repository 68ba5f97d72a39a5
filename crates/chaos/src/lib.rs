//! Chaos as data: which faults there are, for what, for how long, and what may become of them.
//!
//! Pure: no clock, no thread, no socket. The same seed gives the same plan on every machine, so that
//! a run can be repeated from its report. Carrying it out is the business of `bulkhead-lab`.

mod fault;
mod id;
mod kill_plan;
mod order;
mod random;
mod report;
mod rule;

pub use fault::{Fault, GatewayFault, HostFault, HttpFault, NetworkFault, ProcessFault};
pub use fault::{gateway, http};
pub use id::{ChaosId, ChaosIdError};
pub use kill_plan::{Kill, KillPlan, KillPlanError, Kills};
pub use order::{Order, TIME_TO_LIVE_DEFAULT, TIME_TO_LIVE_MAX, Target};
pub use random::Random;
pub use report::{FaultRefusal, FaultReport, FaultState, GroupReport, GroupReports, Placed};
pub use rule::{FaultRule, FaultRuleError, RULE_ID_BYTES_MAX};
