//! What may become of an injection: its states, and which may follow which.
//!
//! ```text
//! Intended ─ Permitted ─ Dispatched ─ Injecting ─ Verifying ─ Active
//!    │           │         │  ▲ ▲         │           │         │
//!    │           │         │  │ └ Unknown ┴───────────┤         │
//!    ▼           ▼         ▼  └───── retry ───────────┤         │
//!  Refused, Failed, Expired                           ▼         ▼
//!                                     RevertFailed ⇄ Reverting ─ VerifyingRevert
//!                                                                      │
//!                                        Reverted, Expired, Failed, NotEffective
//! ```
//!
//! From the moment in which something may have been changed there is one way out only: through
//! `VerifyingRevert`, which has seen that nothing is left.

use serde::{Deserialize, Serialize};

/// Where an injection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Accepted; the intent is being written, and the target asked.
    Intended,
    /// The injector allows it and has said what taking back needs; that is being written.
    Permitted,
    /// Everything is on disk; it waits for a thread, or for the next attempt.
    Dispatched,
    /// The injector is at work.
    Injecting,
    /// It is being looked whether the fault took hold.
    Verifying,
    /// The fault is in force, and was seen to be.
    Active,
    /// A call has not answered in time: the fault may be in force or not.
    Unknown,
    /// It is being taken back.
    Reverting,
    /// It is being looked whether anything is left.
    VerifyingRevert,
    /// Taking back failed, or something is left. It is tried again until it succeeds.
    RevertFailed,
    /// Ended: nothing was injected, as the target or somebody said no.
    Refused,
    /// Ended: the injector could not do it. Nothing is left.
    Failed,
    /// Ended: the injector did it, and nothing was seen of it. Nothing is left.
    NotEffective,
    /// Ended: it was in force and was taken back because somebody wanted so. Nothing is left.
    Reverted,
    /// Ended: its time to live was over. Nothing is left.
    Expired,
}

/// A step that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an injection that is {from} never becomes {to}")]
pub struct IllegalTransition {
    /// Where it is.
    pub from: State,
    /// Where it was to go.
    pub to: State,
}

impl State {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 15] = [
        Self::Intended,
        Self::Permitted,
        Self::Dispatched,
        Self::Injecting,
        Self::Verifying,
        Self::Active,
        Self::Unknown,
        Self::Reverting,
        Self::VerifyingRevert,
        Self::RevertFailed,
        Self::Refused,
        Self::Failed,
        Self::NotEffective,
        Self::Reverted,
        Self::Expired,
    ];

    /// Its name in JSON, events and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Permitted => "permitted",
            Self::Dispatched => "dispatched",
            Self::Injecting => "injecting",
            Self::Verifying => "verifying",
            Self::Active => "active",
            Self::Unknown => "unknown",
            Self::Reverting => "reverting",
            Self::VerifyingRevert => "verifying_revert",
            Self::RevertFailed => "revert_failed",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::NotEffective => "not_effective",
            Self::Reverted => "reverted",
            Self::Expired => "expired",
        }
    }

    /// Whether nothing more happens.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Refused | Self::Failed | Self::NotEffective | Self::Reverted | Self::Expired
        )
    }

    /// Whether it is on its way back.
    pub const fn is_reverting(self) -> bool {
        matches!(self, Self::Reverting | Self::VerifyingRevert | Self::RevertFailed)
    }

    /// Whether it is on its way to being active.
    pub const fn is_coming(self) -> bool {
        matches!(
            self,
            Self::Intended
                | Self::Permitted
                | Self::Dispatched
                | Self::Injecting
                | Self::Verifying
                | Self::Unknown
        )
    }

    const fn may_become(self, to: Self) -> bool {
        match self {
            Self::Intended => {
                matches!(to, Self::Permitted | Self::Refused | Self::Failed | Self::Expired)
            }
            Self::Permitted => {
                matches!(to, Self::Dispatched | Self::Refused | Self::Failed | Self::Expired)
            }
            Self::Dispatched => {
                matches!(
                    to,
                    Self::Injecting
                        | Self::Reverting
                        | Self::Refused
                        | Self::Failed
                        | Self::Expired
                )
            }
            Self::Injecting => {
                matches!(to, Self::Verifying | Self::Dispatched | Self::Unknown | Self::Reverting)
            }
            Self::Verifying => {
                matches!(to, Self::Active | Self::Dispatched | Self::Unknown | Self::Reverting)
            }
            Self::Unknown => matches!(to, Self::Dispatched | Self::Reverting),
            Self::Active | Self::RevertFailed => matches!(to, Self::Reverting),
            Self::Reverting => matches!(to, Self::VerifyingRevert | Self::RevertFailed),
            Self::VerifyingRevert => matches!(
                to,
                Self::Reverting
                    | Self::RevertFailed
                    | Self::Failed
                    | Self::NotEffective
                    | Self::Reverted
                    | Self::Expired
            ),
            Self::Refused | Self::Failed | Self::NotEffective | Self::Reverted | Self::Expired => {
                false
            }
        }
    }

    /// The next state.
    ///
    /// # Errors
    /// If no life takes this step.
    pub const fn advance(self, to: Self) -> Result<Self, IllegalTransition> {
        if self.may_become(to) { Ok(to) } else { Err(IllegalTransition { from: self, to }) }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
