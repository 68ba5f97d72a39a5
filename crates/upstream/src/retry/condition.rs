//! What a policy names as worth another attempt, as a set.

use bulkhead_message::RetryCondition;

/// A set of conditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryConditions(u16);

impl RetryConditions {
    /// What happens before an endpoint has processed anything, or may have.
    pub const fn unprocessed() -> Self {
        Self(
            bit(RetryCondition::ConnectFailure)
                | bit(RetryCondition::RefusedStream)
                | bit(RetryCondition::Reset),
        )
    }

    /// Whether `condition` is in the set.
    #[inline]
    pub const fn has(self, condition: RetryCondition) -> bool {
        self.0 & bit(condition) != 0
    }

    pub(super) fn has_grpc_status(self, status: u8) -> bool {
        RetryCondition::of_grpc_status(status).is_some_and(|condition| self.has(condition))
    }
}

impl FromIterator<RetryCondition> for RetryConditions {
    fn from_iter<I: IntoIterator<Item = RetryCondition>>(conditions: I) -> Self {
        Self(conditions.into_iter().fold(0, |set, condition| set | bit(condition)))
    }
}

const fn bit(condition: RetryCondition) -> u16 {
    1 << condition as u8
}
