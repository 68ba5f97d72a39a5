//! Who may do what, when, and what must be asked first.

mod abort;
mod check;
mod window;

use serde::{Deserialize, Serialize};

pub use abort::{ABORT_SAMPLE_INTERVAL, AbortCondition, AbortWatch, Comparison, Sample};
pub use check::PolicyError;
pub use window::{Weekday, Window};

use crate::audit::hex_digest;
use crate::{Candidate, ChaosId, Fault, Target};

/// Label whose value `production` asks for an approval.
pub const ENVIRONMENT_LABEL: &str = "environment";
/// How long an approval holds at most, in milliseconds.
pub const APPROVAL_MS_MAX: u64 = 60 * 60 * 1_000;
/// Approvals that are kept at a time; the oldest go first.
pub const APPROVALS_MAX: usize = 256;

/// What somebody may do. Each may also do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Viewer,
    /// Inject, take back, engage the lever.
    Operator,
    /// Release the lever, and approve what others inject into production.
    Approver,
}

/// Somebody who is known by a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// Name in the audit log.
    pub name: String,
    /// SHA-256 of the token, in hexadecimal digits, so that the file holds no secret.
    pub token_sha256: String,
    /// What it may do.
    pub role: Role,
}

/// The rules of a lab.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Who may do what. Without any, whoever reaches the server may do everything.
    pub actors: Vec<Actor>,
    /// When faults may be injected. Without any, always.
    pub windows: Vec<Window>,
    /// Targets that need an approval, whatever their labels say.
    pub production: Vec<Target>,
    /// Kinds of faults that may be injected: `process.stop`. Without any, all.
    pub kinds: Vec<String>,
}

/// Why the rules forbid it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Nobody known.
    #[error("this token is not known; see `actors` of the policy")]
    Stranger,
    /// Not for this role.
    #[error("{actor} is {has:?} and would have to be {needs:?}")]
    Role {
        /// Who.
        actor: String,
        /// What it is.
        has: Role,
        /// What it would have to be.
        needs: Role,
    },
    /// Not now.
    #[error("now is outside of the windows of the policy")]
    Window,
    /// Not this.
    #[error("{0} is not among the `kinds` of the policy")]
    Kind(String),
    /// Not without somebody else.
    #[error(
        "a target is production: somebody else must approve this order first, with \
         `chaos approve` (POST /v1/approvals), and its id must be given: as `--approval`, or as \
         `approval` of the order or of an experiment's `inject`"
    )]
    Unapproved,
}

/// Who asks, once it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Name in the audit log.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

impl Caller {
    /// Whether it may do what `needs` may.
    ///
    /// # Errors
    /// [`Forbidden::Role`].
    pub fn require(&self, needs: Role) -> Result<(), Forbidden> {
        if self.role >= needs {
            return Ok(());
        }
        Err(Forbidden::Role { actor: self.name.clone(), has: self.role, needs })
    }
}

impl Policy {
    /// Who asks. `local`: name of whoever reaches the server, where no actors are declared.
    ///
    /// # Errors
    /// [`Forbidden::Stranger`].
    pub fn caller(&self, token: Option<&str>, local: &str) -> Result<Caller, Forbidden> {
        if self.actors.is_empty() {
            return Ok(Caller { name: local.to_owned(), role: Role::Approver });
        }
        // The digests are compared, so that the time it takes tells nothing about a token.
        let digest = hex_digest(token.unwrap_or_default().as_bytes());
        let known = self.actors.iter().find(|actor| actor.token_sha256 == digest);
        known
            .filter(|_| token.is_some())
            .map(|actor| Caller { name: actor.name.clone(), role: actor.role })
            .ok_or(Forbidden::Stranger)
    }

    /// Whether such a fault may be injected now, approvals aside.
    ///
    /// # Errors
    /// [`Forbidden`].
    pub fn permits(&self, fault: &Fault, unix_ms: u64) -> Result<(), Forbidden> {
        let kind = fault.kind();
        if !self.kinds.is_empty() && !self.kinds.iter().any(|known| known == kind) {
            return Err(Forbidden::Kind(kind.to_owned()));
        }
        let open = self.windows.is_empty() || self.windows.iter().any(|it| it.contains(unix_ms));
        if open { Ok(()) } else { Err(Forbidden::Window) }
    }

    /// Whether striking it needs an approval.
    pub fn is_production(&self, candidate: &Candidate) -> bool {
        candidate.labels.get(ENVIRONMENT_LABEL).is_some_and(|value| value == "production")
            || self.production.iter().any(|listed| listed.stands_for(&candidate.target))
    }
}

/// What somebody allows somebody else to inject, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Its name.
    pub id: ChaosId,
    /// Who approves.
    pub by: String,
    /// Digest of the order, of its fault and candidates.
    pub order_sha256: String,
    /// Until when it holds, in milliseconds since 1970.
    pub expires_unix_ms: u64,
}

/// Approvals that have not been used.
#[derive(Clone, Debug, Default)]
pub struct Approvals(Vec<Approval>);

impl Approvals {
    /// Keeps an approval.
    pub fn add(&mut self, approval: Approval) {
        if self.0.len() >= APPROVALS_MAX {
            self.0.remove(0);
        }
        self.0.push(approval);
    }

    /// Whether somebody else has approved this.
    ///
    /// # Errors
    /// [`Forbidden::Unapproved`].
    pub fn check(
        &self,
        id: Option<ChaosId>,
        caller: &str,
        order_sha256: &str,
        unix_ms: u64,
    ) -> Result<(), Forbidden> {
        let holds = self.0.iter().any(|approval| {
            Some(approval.id) == id
                && approval.by != caller
                && approval.order_sha256 == order_sha256
                && unix_ms < approval.expires_unix_ms
        });
        if holds { Ok(()) } else { Err(Forbidden::Unapproved) }
    }

    /// It has been used.
    pub fn spend(&mut self, id: ChaosId) {
        self.0.retain(|approval| approval.id != id);
    }
}

/// Digest of what is approved: changing anything of it makes the approval worthless.
pub fn order_sha256(order: &impl Serialize) -> String {
    // What cannot be JSON has a digest that no approval has.
    serde_json::to_string(order).map_or_else(|_| String::new(), |text| hex_digest(text.as_bytes()))
}

#[cfg(test)]
mod tests;
