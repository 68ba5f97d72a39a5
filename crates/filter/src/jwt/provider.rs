//! A token issuer: which algorithms, keys, issuer and audiences are accepted.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value};

use super::keys::{JwtAlgorithm, JwtKeyError, KeyMaterial, Keys};
use super::reason::Reason;
use super::token::{Parsed, Times};

/// What to build a [`JwtProvider`] from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtProviderSpec {
    /// Its name in the configuration.
    pub name: String,
    /// Required `iss`; `None`: not checked.
    pub issuer: Option<String>,
    /// Any of these in `aud`; empty: not checked.
    pub audiences: Vec<String>,
    /// Accepted algorithms.
    pub algorithms: Vec<JwtAlgorithm>,
    /// Keys.
    pub keys: KeyMaterial,
    /// Clock skew allowed for `exp` and `nbf`, in seconds.
    pub skew_s: u64,
    /// Tokens in each worker's cache; 0: no cache.
    pub cache_size: usize,
}

/// A token issuer with its keys. Each one built has a revision of its own, so that a change of keys
/// or rules leaves no token of the former behind in any cache.
pub struct JwtProvider {
    name: String,
    issuer: Option<String>,
    audiences: Vec<String>,
    algorithms: Vec<JwtAlgorithm>,
    keys: Keys,
    skew_s: u64,
    cache_size: usize,
    revision: u64,
}

/// Shows no keys.
impl fmt::Debug for JwtProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtProvider")
            .field("issuer", &self.issuer)
            .field("algorithms", &self.algorithms)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

impl JwtProvider {
    /// A provider as the spec says.
    ///
    /// # Errors
    /// [`JwtKeyError`]: the keys are unusable, or do not fit the algorithms.
    pub fn new(spec: &JwtProviderSpec) -> Result<Self, JwtKeyError> {
        static REVISIONS: AtomicU64 = AtomicU64::new(1);
        Ok(Self {
            name: spec.name.clone(),
            issuer: spec.issuer.clone(),
            audiences: spec.audiences.clone(),
            keys: Keys::new(&spec.keys, &spec.algorithms)?,
            algorithms: spec.algorithms.clone(),
            skew_s: spec.skew_s,
            cache_size: spec.cache_size,
            revision: REVISIONS.fetch_add(1, Ordering::Relaxed),
        })
    }

    /// Its name in the configuration.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Unique to this provider within the process.
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Tokens in each worker's cache; 0: no cache.
    pub const fn cache_size(&self) -> usize {
        self.cache_size
    }

    pub(super) const fn skew_s(&self) -> u64 {
        self.skew_s
    }

    /// Whether this provider vouches for the token, and for how long. With `other_keys` its keys were
    /// replaced by others, which nobody has signed with yet.
    pub(super) fn verify(
        &self,
        token: &Parsed<'_>,
        now_s: u64,
        other_keys: bool,
    ) -> Result<Times, Reason> {
        if !self.algorithms.contains(&token.algorithm) {
            return Err(Reason::Algorithm);
        }
        // Before the signature, as it costs nothing and tells whose token it claims to be.
        if let Some(issuer) = &self.issuer
            && token.claims.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return Err(Reason::Issuer);
        }
        let key_id = token.key_id.as_deref();
        if other_keys {
            return Err(self.keys.refuse(
                token.algorithm,
                key_id,
                token.signing_input,
                token.signature,
            ));
        }
        self.keys.verify(token.algorithm, key_id, token.signing_input, token.signature)?;
        let times = Times::of(&token.claims)?;
        times.check(now_s, self.skew_s)?;
        self.check_audience(&token.claims)?;
        Ok(times)
    }

    /// RFC 7519 §4.1.3: `aud` is one text or an array of them.
    fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), Reason> {
        let ours = |value: &Value| {
            value.as_str().is_some_and(|name| self.audiences.iter().any(|ours| ours == name))
        };
        let accepted = self.audiences.is_empty()
            || match claims.get("aud") {
                Some(Value::Array(all)) => all.iter().any(ours),
                Some(one) => ours(one),
                None => false,
            };
        if accepted { Ok(()) } else { Err(Reason::Audience) }
    }
}
