//! What a gateway is told to do to itself: a fault with the time after which it ends by itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Fault, TIME_TO_LIVE_DEFAULT, TIME_TO_LIVE_MAX};

/// Bytes of the name of a rule.
pub const RULE_ID_BYTES_MAX: usize = 64;

/// A fault that a gateway carries out itself, in JSON the body of `PUT /faults/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// What is to be broken: of the families `gateway` and `http`.
    pub fault: Fault,
    /// Everything random is drawn from it.
    #[serde(default)]
    pub seed: u64,
    /// How long it lasts, in milliseconds: 1 to those of [`TIME_TO_LIVE_MAX`].
    #[serde(default = "ttl_ms_default")]
    pub ttl_ms: u64,
}

/// Why a rule is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultRuleError {
    /// It would last no time, or too long.
    #[error("`ttl_ms` is 1 to {}", TIME_TO_LIVE_MAX.as_millis())]
    TimeToLive,
    /// A gateway cannot do that.
    #[error("a gateway carries out faults of the families `gateway` and `http`, not {0}")]
    Family(&'static str),
    /// Its name cannot be one.
    #[error("an id has 1 to 64 letters, digits, `.`, `_`, `-`")]
    Id,
}

const fn ttl_ms_default() -> u64 {
    TIME_TO_LIVE_DEFAULT.as_millis() as u64
}

impl FaultRule {
    /// This fault, for so long.
    pub fn new(fault: Fault, ttl: Duration) -> Self {
        Self { fault, seed: 0, ttl_ms: u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX) }
    }

    /// How long it lasts.
    pub const fn ttl(&self) -> Duration {
        Duration::from_millis(self.ttl_ms)
    }

    /// Whether a gateway can carry it out.
    ///
    /// # Errors
    /// [`FaultRuleError`].
    pub fn check(&self) -> Result<(), FaultRuleError> {
        if self.ttl_ms == 0 || self.ttl() > TIME_TO_LIVE_MAX {
            return Err(FaultRuleError::TimeToLive);
        }
        match &self.fault {
            Fault::Gateway(_) | Fault::Http(_) => Ok(()),
            other => Err(FaultRuleError::Family(other.kind())),
        }
    }

    /// Whether a rule may have this name.
    ///
    /// # Errors
    /// It may not.
    pub fn check_id(id: &str) -> Result<(), FaultRuleError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let fits = (1..=RULE_ID_BYTES_MAX).contains(&id.len());
        if fits && id.bytes().all(is_plain) { Ok(()) } else { Err(FaultRuleError::Id) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_ends_by_itself() {
        let abort = json!({"http": {"abort": {"status": 503}, "percent": 100}});
        let rule: FaultRule = serde_json::from_value(json!({"fault": abort})).expect("a rule");
        assert_eq!((rule.ttl(), rule.check()), (TIME_TO_LIVE_DEFAULT, Ok(())));
        for (ttl_ms, fits) in [(0, false), (1, true), (900_000, true), (900_001, false)] {
            let rule = FaultRule { ttl_ms, ..rule.clone() };
            assert_eq!(rule.check().is_ok(), fits, "{ttl_ms}");
        }
        let other = FaultRule {
            fault: Fault::Host(crate::HostFault::Cpu { threads: 1, percent: 100.0 }),
            ..rule
        };
        assert_eq!(other.check(), Err(FaultRuleError::Family("host.cpu")));
    }

    #[test]
    fn names() {
        for (id, fits) in [
            ("017f22e2-79b0-7cc3-98c4-dc0c0c07398f", true),
            ("a.b_c", true),
            ("", false),
            ("a/b", false),
            ("a b", false),
            (&"a".repeat(65), false),
        ] {
            assert_eq!(FaultRule::check_id(id).is_ok(), fits, "{id}");
        }
    }
}
