//! What every fault can do: say whether it may be, happen, be seen, be taken back, be seen gone.
//!
//! The order of the calls for one [`Order`]: `prepare`, then (the handle is on disk by now) `inject`,
//! `verify`; later `revert`, `verify_reverted`. Each may be called again with the same order and
//! handle, also by another process after a crash, and then finds done what is done. Calls may block
//! until `deadline`, never beyond; none of them crosses a path that a fault of the lab may strike.

use std::time::{Duration, Instant};

use bulkhead_chaos::{Effect, Fault, Order, Target};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What `prepare` found out that taking back needs: names of tables, process numbers with start times,
/// paths. Plain data, written to the journal before anything is changed.
pub type Handle = Value;

/// What is beside an order in every call.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    /// Until when this call must be over.
    pub deadline: Instant,
    /// The time of day, since 1970.
    pub unix: Duration,
}

impl Surroundings {
    /// What is left of an order's time to live.
    pub(crate) fn left(self, order: &Order) -> Duration {
        Duration::from_millis(order.expires_unix_ms).saturating_sub(self.unix)
    }

    /// The same, of an order that is still to be carried out.
    ///
    /// # Errors
    /// Nothing is left.
    pub(crate) fn still(self, order: &Order) -> Result<Duration, InjectError> {
        let left = self.left(order);
        if left.is_zero() {
            return Err(InjectError::Permanent("its time to live is over".to_owned()));
        }
        Ok(left)
    }
}

/// What a handle has under a name.
///
/// # Errors
/// It is not there, or something else.
pub(crate) fn part<T: DeserializeOwned>(handle: &Handle, name: &str) -> Result<T, InjectError> {
    serde_json::from_value(handle[name].clone())
        .map_err(|error| InjectError::Permanent(format!("the handle is not one of ours: {error}")))
}

/// Carries out one kind of fault.
pub trait Injector: Send + Sync {
    /// Whether this is the one for such a fault.
    fn takes(&self, fault: &Fault) -> bool;

    /// Whether it can be where this target is. Of several that take a fault, the first that reaches the
    /// target carries it out.
    fn reaches(&self, target: &Target) -> bool {
        let _ = target;
        true
    }

    /// Whether the fault may be injected there (privilege, target alive and well), without changing
    /// anything; and what taking it back will need.
    ///
    /// # Errors
    /// [`Refusal`]: what is missing, and what to do about it.
    fn prepare(&self, order: &Order, around: Surroundings) -> Result<Handle, Refusal>;

    /// Makes it so.
    ///
    /// # Errors
    /// [`InjectError`]; after [`InjectError::Unknown`] it may be in force or not.
    fn inject(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<(), InjectError>;

    /// Looks by another way than the one of `inject` whether the fault is in force.
    ///
    /// # Errors
    /// It could not be looked at.
    fn verify(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError>;

    /// Takes it back. Nothing to take back is a success.
    ///
    /// # Errors
    /// It may still be in force.
    fn revert(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<(), InjectError>;

    /// Looks whether it is gone: [`Evidence::holds`] says that nothing of it is left.
    ///
    /// # Errors
    /// It could not be looked at.
    fn verify_reverted(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError>;

    /// How it came that it is not in force any more though nobody took it back, if that is seen without
    /// looking: what held it has ended. Asked again and again, and never waits.
    fn lost(&self, _: &Order, _: &Handle) -> Option<String> {
        None
    }

    /// What it has done, as the target counts it; asked once it was seen gone. Nothing if nobody counts.
    fn effect(&self, _: &Order, _: &Handle, _: Surroundings) -> Option<Effect> {
        None
    }
}

/// What was seen, for people and reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Whether what was looked for is so.
    pub holds: bool,
    /// What was seen: `process 4711 is in state T`.
    pub seen: String,
}

impl Evidence {
    /// Both, one after the other.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let seen = format!("{}; {}", self.seen, other.seen);
        Self { holds: self.holds && other.holds, seen }
    }
}

/// Why a fault may not be injected. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{reason}; {remedy}")]
pub struct Refusal {
    /// What is missing.
    pub reason: String,
    /// What to do about it.
    pub remedy: String,
}

impl Refusal {
    /// With a reason and what to do about it.
    pub fn new(reason: impl Into<String>, remedy: &str) -> Self {
        Self { reason: reason.into(), remedy: remedy.to_owned() }
    }
}

/// Why a step did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum InjectError {
    /// Nothing was changed, and trying again may help.
    #[error("{0}")]
    Transient(String),
    /// Nothing was changed, and trying again will not help.
    #[error("{0}")]
    Permanent(String),
    /// The deadline came first, or the answer was lost: what was to be changed may be changed.
    #[error("{0}")]
    Unknown(String),
}
