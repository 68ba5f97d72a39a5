//! What the gateway knows of the endpoints that it sends requests to, as plain state.
//!
//! One [`Cluster`] stands for one set of endpoints in one worker: which endpoint the next attempt
//! goes to ([`Cluster::pick`]), which connection carries it ([`Cluster::acquire`]), who waits for
//! one, who is ejected, and whether a failed attempt may be tried again ([`RetryPolicy`]). A [`Breaker`]
//! guards a cluster, or a route, from more requests than do good.
//!
//! This crate opens no socket, reads no clock and draws no random number of its own: `now` and the
//! [`Rng`] are arguments, connections are opaque keys. It never closes anything either: it says
//! which connections are to be closed, and is told when they are ([`Cluster::closed`]).
//!
//! The life of an attempt:
//!
//! ```text
//! pick → started → acquire ─ Use(key) ──────────────────────→ send … release → finished
//!                          ├ Connect → dial, connecting, enqueue ─┐
//!                          ├ Wait → enqueue ──────────────────────┤
//!                          │     ready/release/closed → serve_waiter → (waiter, key) ↑
//!                          └ Overloaded → answer 503, finished
//! ```

mod balance;
mod breaker;
mod budget;
mod cluster;
mod concurrency;
mod ejection;
mod endpoint;
mod health;
mod pool;
mod random;
pub mod report;
mod retry;
mod slow_start;
mod window;

pub use balance::{
    Balance, EWMA_DECAY, FAILURE_LATENCY, HashLoad, Locality, MAGLEV_TABLE_SIZE, Maglev,
    OVERPROVISIONING_PERCENT, PickHints, RING_SIZE_MAX, RING_SIZE_MIN, RingHash, SUBSETS_MAX,
    Subset, SubsetFallback, stable_hash,
};
pub use breaker::{Breaker, BreakerSettings, FailureLimit, Pass, Rejection, Verdict};
pub use budget::{BUDGET_RETRIES_PER_SECOND_MIN, BUDGET_WINDOW, Budget};
pub use cluster::{Cluster, ClusterSettings, EndpointStatus, Removed, TRIED_MAX, Tried};
pub use concurrency::{ConcurrencyLimit, ConcurrencySettings};
pub use ejection::{
    AttemptOutcome, EjectionSettings, FailurePercentage, ServerErrors, SuccessRate,
};
pub use endpoint::{EndpointId, EndpointSpec, Labels};
pub use health::{CheckedHealth, HealthThresholds};
pub use pool::{Acquire, ConnectionFacts, ConnectionState, Overloaded, Protocol, Released};
pub use random::Rng;
pub use retry::{
    Answer, Decision, FailedAttempt, GiveUp, Pushback, RetryConditions, RetryMethods, RetryPolicy,
};
pub use slow_start::SlowStart;
