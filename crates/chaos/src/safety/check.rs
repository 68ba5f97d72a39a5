//! Whether the rules of a lab can mean what they say.

use super::Policy;
use crate::FaultKind;

/// Digits of a SHA-256.
const DIGEST_DIGITS: usize = 64;

/// Rules that would never apply, or to somebody else than was meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Nothing is called so.
    #[error("`{0}` of the policy's `kinds` is no kind of fault; `bulkhead chaos kinds` lists them")]
    Kind(String),
    /// No token can have it.
    #[error(
        "`token_sha256` of the actor `{0}` is no SHA-256 in 64 lower-case hexadecimal digits; \
         `printf %s TOKEN | sha256sum` tells it"
    )]
    Digest(String),
    /// Nobody could tell them apart.
    #[error("there are two actors with the name or the token of `{0}`")]
    Twice(String),
}

impl Policy {
    /// Checks it as a whole.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), PolicyError> {
        let unknown = |kind: &&String| FaultKind::named(kind).is_none();
        if let Some(kind) = self.kinds.iter().find(unknown) {
            return Err(PolicyError::Kind(kind.clone()));
        }
        for (index, actor) in self.actors.iter().enumerate() {
            let digits = actor.token_sha256.as_bytes();
            let is_digest = digits.len() == DIGEST_DIGITS
                && digits.iter().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
            if !is_digest {
                return Err(PolicyError::Digest(actor.name.clone()));
            }
            let is_same = |other: &super::Actor| {
                other.name == actor.name || other.token_sha256 == actor.token_sha256
            };
            if self.actors[..index].iter().any(is_same) {
                return Err(PolicyError::Twice(actor.name.clone()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::PolicyError;
    use crate::Policy;

    #[track_caller]
    fn check(policy: Value) -> Result<(), PolicyError> {
        serde_json::from_value::<Policy>(policy).unwrap().check()
    }

    #[test]
    fn rules_that_could_never_apply_are_told() {
        assert_eq!(Policy::default().check(), Ok(()));
        let actor = |name: &str, digest: &str| json!({"name": name, "role": "viewer", "token_sha256": digest});
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        assert_eq!(check(json!({"actors": [actor("ann", &a), actor("bob", &b)]})), Ok(()));
        assert_eq!(check(json!({"kinds": ["process.stop", "http.abort"]})), Ok(()));
        let kind = PolicyError::Kind("process.stpo".to_owned());
        assert_eq!(check(json!({"kinds": ["process.stpo"]})), Err(kind));
        for wrong in ["", "secret", &a.to_uppercase(), &a[1..]] {
            let told = check(json!({"actors": [actor("ann", wrong)]}));
            assert_eq!(told, Err(PolicyError::Digest("ann".to_owned())), "{wrong}");
        }
        for twice in [actor("ann", &b), actor("bob", &a)] {
            let told = check(json!({"actors": [actor("ann", &a), twice]}));
            assert!(matches!(told, Err(PolicyError::Twice(_))), "{told:?}");
        }
    }
}
