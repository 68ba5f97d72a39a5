//! The secret that agents and coordinators share: proofs that the other side has it, and keys for the
//! frames of one session. It is never sent and never shown.

use std::fmt;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, Tag, sign, verify};

use super::VERSION;

/// Bytes of a secret at least.
pub const SECRET_BYTES_MIN: usize = 16;
/// Bytes of a secret at most.
const SECRET_BYTES_MAX: usize = 4_096;
/// Bytes of a nonce.
pub(super) const NONCE_BYTES: usize = 32;

/// Why something is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret has {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, this one has {0}")]
pub struct SecretError(usize);

/// A shared secret.
#[derive(Clone)]
pub struct Secret(Key);

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

/// Who proves that it has the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Agent,
    Coordinator,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Agent => Self::Coordinator,
            Self::Coordinator => Self::Agent,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Coordinator => "coordinator",
        }
    }
}

/// The random numbers of a session, one from each side, so that neither can be made to repeat one.
#[derive(Clone, Debug)]
pub(super) struct Nonces {
    pub(super) agent: Vec<u8>,
    pub(super) coordinator: Vec<u8>,
}

impl Secret {
    /// From the bytes of a file; white space around them does not count.
    ///
    /// # Errors
    /// If it is too short to be one, or too long.
    pub fn new(bytes: &[u8]) -> Result<Self, SecretError> {
        let bytes = bytes.trim_ascii();
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len()) {
            return Err(SecretError(bytes.len()));
        }
        Ok(Self(Key::new(HMAC_SHA256, bytes)))
    }

    /// Proof of `side` for this session.
    pub(super) fn prove(&self, side: Side, nonces: &Nonces) -> Vec<u8> {
        self.derive("proof", side, nonces).as_ref().to_vec()
    }

    /// Whether a proof of `side` is right, in the same time for every wrong one.
    pub(super) fn is_proof(&self, side: Side, nonces: &Nonces, proof: &[u8]) -> bool {
        verify(&self.0, &text("proof", side, nonces), proof).is_ok()
    }

    /// Key of the frames that `side` sends in this session.
    pub(super) fn frame_key(&self, side: Side, nonces: &Nonces) -> Key {
        Key::new(HMAC_SHA256, self.derive("frames", side, nonces).as_ref())
    }

    fn derive(&self, purpose: &str, side: Side, nonces: &Nonces) -> Tag {
        sign(&self.0, &text(purpose, side, nonces))
    }
}

/// What is signed. Nonces have a fixed length, so no two sessions have the same text.
fn text(purpose: &str, side: Side, nonces: &Nonces) -> Vec<u8> {
    let mut text = format!("bulkhead-load {VERSION} {purpose} {}\n", side.as_str()).into_bytes();
    text.extend_from_slice(&nonces.agent);
    text.extend_from_slice(&nonces.coordinator);
    text
}

/// A nonce from the system's generator.
pub(super) fn nonce() -> std::io::Result<Vec<u8>> {
    let mut nonce = vec![0; NONCE_BYTES];
    aws_lc_rs::rand::fill(&mut nonce)
        .map_err(|_| std::io::Error::other("the system gives no random numbers"))?;
    Ok(nonce)
}

#[cfg(test)]
mod tests;
