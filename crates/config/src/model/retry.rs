//! When a request is sent again, or sent twice.

use std::time::Duration;

use bulkhead_message::RetryCondition;

/// When and how often to try again.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Attempts beyond the first. Default 2.
    pub retries: u32,
    /// What is tried again; never empty. Default: failures without a response head, and `statuses`.
    pub on: Vec<RetryCondition>,
    /// Statuses for [`RetryCondition::RetriableStatus`]. Default none.
    pub statuses: Vec<u16>,
    /// Which requests may be repeated after they may have been processed. Default: idempotent ones.
    pub methods: RetryMethods,
    /// Pause before the first retry, doubled with each, with full jitter. Default 25 ms.
    pub backoff: Duration,
    /// Longest pause, also of those that upstreams ask for; never under `backoff`. Default 10 s.
    pub backoff_max: Duration,
    /// Tell the upstream in `x-bulkhead-attempt-count` which attempt it sees, from 1.
    pub attempt_count_header: bool,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries: 2,
            on: vec![
                RetryCondition::ConnectFailure,
                RetryCondition::RefusedStream,
                RetryCondition::Reset,
                RetryCondition::PerTryTimeout,
                RetryCondition::RetriableStatus,
            ],
            statuses: Vec::new(),
            methods: RetryMethods::Idempotent,
            backoff: Duration::from_millis(25),
            backoff_max: Duration::from_secs(10),
            attempt_count_header: false,
        }
    }
}

/// Requests that may be repeated after they may have been processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryMethods {
    /// Those with an idempotent method (RFC 9110 §9.2.2).
    Idempotent,
    /// All.
    Any,
    /// Those with these methods.
    Listed(Vec<String>),
}

/// A second attempt at another endpoint while the first one has not answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Hedge {
    /// How long the first attempt may take to its response head before.
    pub delay: Duration,
}
