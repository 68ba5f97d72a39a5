//! Faults in requests and responses: which exchanges they befall, and what happens to those.
//!
//! In JSON and YAML the key is the effect, and the conditions stand beside it:
//! `{"abort": {"status": 503}, "percent": 10, "route": "api"}`.

mod declared;
mod effect;
mod scope;

use serde::{Deserialize, Serialize};

use declared::Declared;
pub use effect::{AbortWith, BodyDirection, DELAY_MAX, HttpEffect, UpstreamFailure};
pub use scope::{HEADERS_MAX, HeaderCondition, HttpScope, Sticky, TEXT_BYTES_MAX};

/// What happens to which exchanges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Declared", into = "Declared")]
pub struct HttpFault {
    /// What happens.
    pub effect: HttpEffect,
    /// To which exchanges.
    pub scope: HttpScope,
}

/// A declaration that is ambiguous or out of range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HttpFaultError(pub(crate) String);

impl HttpFault {
    /// What happens to so many percent of all exchanges.
    pub const fn new(effect: HttpEffect, percent: f64) -> Self {
        Self { effect, scope: HttpScope::all(percent) }
    }

    /// Whether the declaration makes sense.
    ///
    /// # Errors
    /// [`HttpFaultError`], with what to write instead.
    pub fn check(&self) -> Result<(), HttpFaultError> {
        self.effect.check()?;
        self.scope.check()?;
        let named = self.scope.endpoint.is_some();
        if named && !self.effect.knows_endpoint() {
            return Err(HttpFaultError(format!(
                "`{}` strikes before an endpoint is chosen: leave `endpoint` out",
                self.effect.name()
            )));
        }
        Ok(())
    }

    pub(super) const fn kind(&self) -> &'static str {
        self.effect.kind()
    }
}

#[cfg(test)]
mod tests;
