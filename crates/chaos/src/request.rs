//! What a client asks for: one fault for one target, or for some of many.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    AbortCondition, BlastRadius, BlastRadiusError, Candidate, ChaosId, Fault, Submission,
    TIME_TO_LIVE_DEFAULT, TIME_TO_LIVE_MAX, Target, Victims, order_sha256,
};

/// Most abort conditions of a request.
pub const ABORT_MAX: usize = 16;

/// The body of `POST /v1/inject`, where targets may be [named](crate::NamedTarget) in other ways.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "T: Deserialize<'de>"))]
pub struct InjectRequest<T = Target> {
    /// Name and idempotency key; made by the lab where there is none. The victims of a blast radius
    /// have ids made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ChaosId>,
    /// What is to be broken.
    pub fault: Fault,
    /// Where, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<T>,
    /// Labels of `target`.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub labels: std::collections::BTreeMap<String, String>,
    /// What may be struck, if there is a choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Candidate<T>>,
    /// How many of `targets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blast_radius: Option<BlastRadius>,
    /// How long it may last: text with a unit, or a number of milliseconds.
    #[serde(default, alias = "ttl_ms")]
    pub ttl: TimeToLive,
    /// Everything random is drawn from it; made of the id where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The approval of somebody else, for production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ChaosId>,
    /// What breaks it off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub abort: Vec<AbortCondition>,
}

/// A request that cannot be carried out as it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Neither or both.
    #[error("give either `target`, or `targets` with `blast_radius`")]
    Targets,
    /// About the choice.
    #[error(transparent)]
    BlastRadius(#[from] BlastRadiusError),
    /// Too many.
    #[error("at most {ABORT_MAX} abort conditions can be given")]
    Abort,
}

/// Who is struck, and what each of them gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The draw.
    pub victims: Victims,
    /// One for each victim.
    pub submissions: Vec<Submission>,
    /// The seed that the victims were drawn from.
    pub seed: u64,
}

impl<T> InjectRequest<T> {
    /// The same of other targets.
    ///
    /// # Errors
    /// The first of `find`.
    pub fn try_map<U, E>(
        &self,
        mut find: impl FnMut(&T) -> Result<U, E>,
    ) -> Result<InjectRequest<U>, E> {
        let target = self.target.as_ref().map(&mut find).transpose()?;
        let candidate = |candidate: &Candidate<T>| {
            Ok(Candidate { target: find(&candidate.target)?, labels: candidate.labels.clone() })
        };
        Ok(InjectRequest {
            target,
            targets: self.targets.iter().map(candidate).collect::<Result<_, E>>()?,
            id: self.id,
            fault: self.fault.clone(),
            labels: self.labels.clone(),
            blast_radius: self.blast_radius.clone(),
            ttl: self.ttl,
            seed: self.seed,
            approval: self.approval,
            abort: self.abort.clone(),
        })
    }

    /// A request for one fault and target, with defaults.
    pub fn new(fault: Fault, target: T) -> Self {
        Self {
            id: None,
            fault,
            target: Some(target),
            labels: Default::default(),
            targets: Vec::new(),
            blast_radius: None,
            ttl: TimeToLive::default(),
            seed: None,
            approval: None,
            abort: Vec::new(),
        }
    }
}

impl InjectRequest {
    /// Draws the victims. `id`: for a request that has none. `is_struck`: whether another injection
    /// strikes it, so that a blast radius spares it.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn plan(
        &self,
        id: ChaosId,
        actor: &str,
        is_struck: impl Fn(&Target) -> bool,
    ) -> Result<Plan, RequestError> {
        let id = self.id.unwrap_or(id);
        let seed = self.seed.unwrap_or_else(|| id.seed());
        if self.abort.len() > ABORT_MAX {
            return Err(RequestError::Abort);
        }
        let victims = match (&self.target, &self.blast_radius) {
            (Some(target), None) if self.targets.is_empty() => Victims {
                targets: vec![Candidate { target: target.clone(), labels: self.labels.clone() }],
                candidates: 1,
                effective_percent: 100.0,
                spared: 0,
            },
            (None, Some(radius)) => radius.draw(&self.targets, seed, is_struck)?,
            _ => return Err(RequestError::Targets),
        };
        Ok(self.strike(victims, id, seed, actor))
    }

    /// The plan of an order that was given before and struck these, whatever else is struck by now. None if
    /// it cannot have been this order.
    pub fn plan_again(&self, id: ChaosId, actor: &str, struck: &[Target]) -> Option<Plan> {
        let radius = self.blast_radius.as_ref()?;
        let mut victims = self.targets.clone();
        let candidates = victims.iter().filter(|candidate| radius.fits(candidate)).count();
        victims.retain(|candidate| struck.contains(&candidate.target));
        if struck.is_empty() || victims.len() != struck.len() {
            return None;
        }
        let victims = Victims {
            effective_percent: victims.len() as f64 * 100.0 / candidates.max(1) as f64,
            targets: victims,
            candidates,
            spared: 0,
        };
        Some(self.strike(victims, id, self.seed.unwrap_or_else(|| id.seed()), actor))
    }

    fn strike(&self, victims: Victims, id: ChaosId, seed: u64, actor: &str) -> Plan {
        let submission = |(index, victim): (usize, &Candidate)| Submission {
            id: id.part(index),
            fault: self.fault.clone(),
            target: victim.target.clone(),
            seed: seed.wrapping_add(index as u64),
            time_to_live: self.ttl.0,
            actor: actor.to_owned(),
        };
        let submissions = victims.targets.iter().enumerate().map(submission).collect();
        Plan { victims, submissions, seed }
    }

    /// Digest of what an approval is for: the fault, what may be struck and for how long.
    pub fn approval_sha256(&self) -> String {
        let Self { fault, target, labels, targets, blast_radius, ttl, .. } = self;
        order_sha256(&(fault, target, labels, targets, blast_radius, ttl))
    }
}

/// How long a fault may last: `500ms`, `60s`, `15m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "TimeToLiveText", into = "String")]
pub struct TimeToLive(pub Duration);

#[derive(Deserialize)]
#[serde(untagged)]
enum TimeToLiveText {
    Text(String),
    Milliseconds(u64),
}

impl Default for TimeToLive {
    fn default() -> Self {
        Self(TIME_TO_LIVE_DEFAULT)
    }
}

impl FromStr for TimeToLive {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [("ms", 1), ("s", 1_000), ("m", 60_000)];
        let ms = units.into_iter().find_map(|(unit, factor)| {
            let digits = text.strip_suffix(unit)?;
            digits.parse::<u64>().ok()?.checked_mul(factor)
        });
        let most = TIME_TO_LIVE_MAX.as_millis() as u64;
        let ms = ms.filter(|ms| (1..=most).contains(ms));
        ms.map(|ms| Self(Duration::from_millis(ms))).ok_or_else(|| {
            format!("`{text}` is no time to live; expected is 500ms, 60s or 15m, and at most 15m")
        })
    }
}

impl fmt::Display for TimeToLive {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        if ms.is_multiple_of(1_000) {
            write!(formatter, "{}s", ms / 1_000)
        } else {
            write!(formatter, "{ms}ms")
        }
    }
}

impl TryFrom<TimeToLiveText> for TimeToLive {
    type Error = String;

    fn try_from(text: TimeToLiveText) -> Result<Self, String> {
        match text {
            TimeToLiveText::Text(text) => text.parse(),
            TimeToLiveText::Milliseconds(ms) => format!("{ms}ms").parse(),
        }
    }
}

impl From<TimeToLive> for String {
    fn from(time: TimeToLive) -> Self {
        time.to_string()
    }
}

#[cfg(test)]
mod tests;
