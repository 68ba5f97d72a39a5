//! When an experiment is broken off: a metric is over or under a limit for some time, or cannot be
//! read for as long. Whoever cannot see must not go on.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How often metrics are looked at.
pub const ABORT_SAMPLE_INTERVAL: Duration = Duration::from_millis(250);

/// Which way is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Over the threshold.
    Above,
    /// Under the threshold.
    Below,
}

/// A limit on a live metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbortCondition {
    /// Admin server of the gateway whose `/metrics` is read. It must not lie behind the fault.
    pub admin: SocketAddr,
    /// Name of a metric, with labels that its series must have: `bulkhead_requests_total{code="503"}`.
    /// All series that fit are added.
    pub metric: String,
    /// Divided by this one, both as increments since the look before: a ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    /// The increment for each second in place of the value.
    #[serde(default)]
    pub per_second: bool,
    /// Which way is bad.
    pub is: Comparison,
    /// The limit.
    pub threshold: f64,
    /// How long it must be bad, in milliseconds; 0 is at once.
    #[serde(default)]
    pub for_ms: u64,
}

impl AbortCondition {
    const fn breached_by(&self, value: f64) -> bool {
        match self.is {
            Comparison::Above => value > self.threshold,
            Comparison::Below => value < self.threshold,
        }
    }
}

/// Watches one condition.
#[derive(Clone, Debug)]
pub struct AbortWatch {
    condition: AbortCondition,
    before: Option<(Duration, f64, f64)>,
    breached_since: Option<Duration>,
    blind_since: Option<Duration>,
}

/// What was read of a condition's metrics; nothing where there was nothing to read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Of `metric`.
    pub value: Option<f64>,
    /// Of `over`.
    pub over: Option<f64>,
}

impl AbortWatch {
    /// Nothing has been seen.
    pub const fn new(condition: AbortCondition) -> Self {
        Self { condition, before: None, breached_since: None, blind_since: None }
    }

    /// What it watches.
    pub const fn condition(&self) -> &AbortCondition {
        &self.condition
    }

    /// Takes a sample; why to break off, if so. Blind for as long as a breach may last, but at least
    /// for four looks, is one too.
    pub fn observe(&mut self, now: Duration, sample: Sample) -> Option<String> {
        let patience = Duration::from_millis(self.condition.for_ms);
        let value = match self.value(now, sample) {
            Seen::Nothing => {
                let since = *self.blind_since.get_or_insert(now);
                let blind = now.saturating_sub(since);
                let over = blind >= patience.max(ABORT_SAMPLE_INTERVAL * 4);
                return over.then(|| {
                    format!("`{}` could not be read for {blind:?}", self.condition.metric)
                });
            }
            Seen::NotYet => {
                self.blind_since = None;
                return None;
            }
            Seen::Value(value) => value,
        };
        self.blind_since = None;
        if !self.condition.breached_by(value) {
            self.breached_since = None;
            return None;
        }
        let since = *self.breached_since.get_or_insert(now);
        (now.saturating_sub(since) >= patience).then(|| {
            let AbortCondition { metric, threshold, .. } = &self.condition;
            format!("`{metric}` is {value}, and the limit {threshold}")
        })
    }

    fn value(&mut self, now: Duration, sample: Sample) -> Seen {
        let over_missing = self.condition.over.is_some() && sample.over.is_none();
        let Some(value) = sample.value.filter(|_| !over_missing) else { return Seen::Nothing };
        if self.condition.over.is_none() && !self.condition.per_second {
            return Seen::Value(value);
        }
        let over = sample.over.unwrap_or_default();
        let Some((at, value_before, over_before)) = self.before.replace((now, value, over)) else {
            return Seen::NotYet;
        };
        let increment = value - value_before;
        // A counter that fell began anew: the difference means nothing.
        if increment < 0.0 || over < over_before {
            return Seen::NotYet;
        }
        if self.condition.over.is_none() {
            let seconds = now.saturating_sub(at).as_secs_f64();
            return if seconds > 0.0 { Seen::Value(increment / seconds) } else { Seen::NotYet };
        }
        // Without traffic there is no ratio, and no breach.
        let whole = over - over_before;
        if whole > 0.0 { Seen::Value(increment / whole) } else { Seen::NotYet }
    }
}

enum Seen {
    Nothing,
    NotYet,
    Value(f64),
}
