//! Verification keys: from PEM, JWKS (RFC 7517) or a shared secret, each fixed to one type, so that no
//! token can choose what a key is used for (RFC 8725 §3.1).

use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, crypto};
use serde_json::Value;

use super::reason::Reason;

/// Keys tried for one token at most: each costs a verification that anybody may ask for.
const TRIES_MAX: usize = 8;
/// Keys in one JWKS at most.
const JWKS_KEYS_MAX: usize = 1000;

/// Signature algorithms (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the RFCs")]
pub enum JwtAlgorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

impl JwtAlgorithm {
    /// Every one.
    pub const ALL: [Self; 7] =
        [Self::Hs256, Self::Hs384, Self::Hs512, Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa];

    /// As in the `alg` of a token.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// By its name, which is case-sensitive.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    const fn key_type(self) -> KeyType {
        match self {
            Self::Hs256 | Self::Hs384 | Self::Hs512 => KeyType::Secret,
            Self::Rs256 | Self::Ps256 => KeyType::Rsa,
            Self::Es256 => KeyType::P256,
            Self::EdDsa => KeyType::Ed25519,
        }
    }

    /// Shortest secret in bytes (RFC 7518 §3.2); 0 for public keys.
    const fn secret_bytes_min(self) -> usize {
        match self {
            Self::Hs256 => 32,
            Self::Hs384 => 48,
            Self::Hs512 => 64,
            _ => 0,
        }
    }

    const fn library(self) -> Algorithm {
        match self {
            Self::Hs256 => Algorithm::HS256,
            Self::Hs384 => Algorithm::HS384,
            Self::Hs512 => Algorithm::HS512,
            Self::Rs256 => Algorithm::RS256,
            Self::Ps256 => Algorithm::PS256,
            Self::Es256 => Algorithm::ES256,
            Self::EdDsa => Algorithm::EdDSA,
        }
    }
}

impl fmt::Display for JwtAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyType {
    Secret,
    Rsa,
    P256,
    Ed25519,
}

/// Where keys come from.
#[derive(Clone, PartialEq, Eq)]
pub enum KeyMaterial {
    /// One public key or certificate, as PEM text. It has no id: a token's `kid` is not looked at.
    PublicKeyPem(Vec<u8>),
    /// A JWKS document. A token with a `kid` is checked with the keys of this id only.
    Jwks(String),
    /// A shared secret for HS256, HS384, HS512; as long as the hash at least. It has no id.
    Secret(Vec<u8>),
}

/// Shows no secret.
impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PublicKeyPem(_) => "PublicKeyPem(..)",
            Self::Jwks(_) => "Jwks(..)",
            Self::Secret(_) => "Secret(..)",
        })
    }
}

/// Keys that cannot be used. No text shows key material.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwtKeyError {
    /// No algorithm is accepted.
    #[error("at least one algorithm is needed")]
    NoAlgorithm,
    /// PEM text without a usable public key.
    #[error(
        "no usable public key in the PEM text: it must be RSA, EC on P-256, or Ed25519, with a \
         `PUBLIC KEY` section (`openssl pkey -in KEY -pubout` writes one)"
    )]
    Pem,
    /// A private key where a public one belongs.
    #[error(
        "this is a private key; only its owner should have it: give the public key \
         (`openssl pkey -in KEY -pubout` writes it)"
    )]
    PrivateKey,
    /// A PEM key where a secret belongs.
    #[error("the shared secret is a PEM key, which is public knowledge: give it as a public key")]
    SecretIsPem,
    /// A secret shorter than the hash.
    #[error(
        "the shared secret has {bytes} bytes; {algorithm} needs {bytes_min} at least (RFC 7518 \
         §3.2): `openssl rand -base64 {bytes_min}` makes one"
    )]
    SecretTooShort {
        /// Its length.
        bytes: usize,
        /// What it needs.
        bytes_min: usize,
        /// For which.
        algorithm: JwtAlgorithm,
    },
    /// An algorithm for which there is no key.
    #[error("algorithm {algorithm} cannot be checked with {found}")]
    Unfit {
        /// Which.
        algorithm: JwtAlgorithm,
        /// What there is.
        found: &'static str,
    },
    /// Not a JWKS document.
    #[error("not a JWKS document: {0}")]
    Jwks(String),
    /// No key of the JWKS is usable with the algorithms.
    #[error("no key of the JWKS fits the accepted algorithms ({keys} keys in it)")]
    NoKey {
        /// How many there are.
        keys: usize,
    },
}

struct Key {
    id: Option<String>,
    key_type: KeyType,
    secret_bytes: usize,
    /// From the key's `alg`: the only one that it may be used for.
    algorithm: Option<JwtAlgorithm>,
    decoding: DecodingKey,
}

impl Key {
    fn fits(&self, algorithm: JwtAlgorithm) -> bool {
        self.key_type == algorithm.key_type()
            && self.secret_bytes >= algorithm.secret_bytes_min()
            && self.algorithm.is_none_or(|only| only == algorithm)
    }
}

/// The keys of one provider.
pub(super) struct Keys {
    keys: Vec<Key>,
    /// Keys have ids, so a token's must be among them.
    by_id: bool,
}

impl Keys {
    pub(super) fn new(
        material: &KeyMaterial,
        algorithms: &[JwtAlgorithm],
    ) -> Result<Self, JwtKeyError> {
        if algorithms.is_empty() {
            return Err(JwtKeyError::NoAlgorithm);
        }
        let keys = match material {
            KeyMaterial::PublicKeyPem(pem) => vec![from_pem(pem)?],
            KeyMaterial::Secret(secret) => vec![from_secret(secret, algorithms)?],
            KeyMaterial::Jwks(text) => {
                return Ok(Self { keys: from_jwks(text, algorithms)?, by_id: true });
            }
        };
        let keys = Self { keys, by_id: false };
        let unfit = |algorithm: &&JwtAlgorithm| !keys.keys.iter().any(|key| key.fits(**algorithm));
        match (algorithms.iter().find(unfit), keys.keys.first()) {
            (Some(&algorithm), Some(key)) => {
                let found = match key.key_type {
                    KeyType::Secret => "a shared secret",
                    KeyType::Rsa => "an RSA key",
                    KeyType::P256 => "an EC key on P-256",
                    KeyType::Ed25519 => "an Ed25519 key",
                };
                Err(JwtKeyError::Unfit { algorithm, found })
            }
            _ => Ok(keys),
        }
    }

    /// Checks a signature with the keys that the token may be signed by.
    pub(super) fn verify(
        &self,
        algorithm: JwtAlgorithm,
        key_id: Option<&str>,
        signing_input: &[u8],
        signature: &str,
    ) -> Result<(), Reason> {
        let has_id = |key: &&Key| match key_id {
            Some(id) if self.by_id => key.id.as_deref() == Some(id),
            _ => true,
        };
        let fitting = self.keys.iter().filter(|key| key.fits(algorithm)).filter(has_id);
        let mut reason = Reason::UnknownKey;
        for key in fitting.take(TRIES_MAX) {
            reason = Reason::Signature;
            let verdict =
                crypto::verify(signature, signing_input, &key.decoding, algorithm.library());
            if matches!(verdict, Ok(true)) {
                return Ok(());
            }
        }
        Err(reason)
    }

    /// What a token meets if other keys, with other ids, stand in the place of these. A key without an id
    /// is tried, as the other one would be.
    pub(super) fn refuse(
        &self,
        algorithm: JwtAlgorithm,
        key_id: Option<&str>,
        signing_input: &[u8],
        signature: &str,
    ) -> Reason {
        if self.by_id && key_id.is_some() {
            return Reason::UnknownKey;
        }
        self.verify(algorithm, key_id, signing_input, signature).err().unwrap_or(Reason::Signature)
    }
}

fn from_pem(pem: &[u8]) -> Result<Key, JwtKeyError> {
    let says = |mark: &[u8]| pem.windows(mark.len()).any(|window| window == mark);
    if says(b"PRIVATE KEY-----") {
        return Err(JwtKeyError::PrivateKey);
    }
    let rsa = || DecodingKey::from_rsa_pem(pem).map(|key| (KeyType::Rsa, key));
    let ec = || DecodingKey::from_ec_pem(pem).map(|key| (KeyType::P256, key));
    let ed = || DecodingKey::from_ed_pem(pem).map(|key| (KeyType::Ed25519, key));
    let (key_type, decoding) =
        rsa().or_else(|_| ec()).or_else(|_| ed()).map_err(|_| JwtKeyError::Pem)?;
    let length = decoding.try_get_as_bytes().map_or(0, <[u8]>::len);
    // An uncompressed point on P-256 (SEC 1 §2.3.3); an Ed25519 key (RFC 8032 §5.1.5).
    let expected = match key_type {
        KeyType::P256 => 65,
        KeyType::Ed25519 => 32,
        KeyType::Rsa | KeyType::Secret => length,
    };
    if length != expected {
        return Err(JwtKeyError::Pem);
    }
    Ok(Key { id: None, key_type, secret_bytes: 0, algorithm: None, decoding })
}

fn from_secret(secret: &[u8], algorithms: &[JwtAlgorithm]) -> Result<Key, JwtKeyError> {
    if secret.starts_with(b"-----BEGIN ") {
        return Err(JwtKeyError::SecretIsPem);
    }
    for &algorithm in algorithms {
        let (bytes, bytes_min) = (secret.len(), algorithm.secret_bytes_min());
        if bytes < bytes_min {
            return Err(JwtKeyError::SecretTooShort { bytes, bytes_min, algorithm });
        }
    }
    Ok(Key {
        id: None,
        key_type: KeyType::Secret,
        secret_bytes: secret.len(),
        algorithm: None,
        decoding: DecodingKey::from_secret(secret),
    })
}

fn from_jwks(text: &str, algorithms: &[JwtAlgorithm]) -> Result<Vec<Key>, JwtKeyError> {
    // The reader's own messages may quote the text, which can hold secrets: only the place is told.
    let mut document: Value = serde_json::from_str(text).map_err(|cause| {
        let (line, column) = (cause.line(), cause.column());
        JwtKeyError::Jwks(format!("invalid JSON at line {line}, column {column}"))
    })?;
    let Some(Value::Array(all)) = document.get_mut("keys").map(Value::take) else {
        return Err(JwtKeyError::Jwks("it must be an object with an array `keys`".to_owned()));
    };
    let count = all.len();
    if count > JWKS_KEYS_MAX {
        return Err(JwtKeyError::Jwks(format!("{count} keys; {JWKS_KEYS_MAX} at most")));
    }
    // Keys of unknown types or for other uses are passed over (RFC 7517 §5).
    let keys: Vec<Key> = all
        .into_iter()
        .filter_map(from_jwk)
        .filter(|key| algorithms.iter().any(|&algorithm| key.fits(algorithm)))
        .collect();
    if keys.is_empty() { Err(JwtKeyError::NoKey { keys: count }) } else { Ok(keys) }
}

fn from_jwk(value: Value) -> Option<Key> {
    let algorithm = match value.get("alg") {
        None => None,
        Some(name) => Some(JwtAlgorithm::of(name.as_str()?)?),
    };
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let for_signatures = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature))
        && jwk
            .common
            .key_operations
            .as_ref()
            .is_none_or(|all| all.contains(&KeyOperations::Verify));
    let key_type = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => KeyType::Rsa,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            KeyType::P256
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            KeyType::Ed25519
        }
        AlgorithmParameters::OctetKey(_) => KeyType::Secret,
        _ => return None,
    };
    let id = jwk.common.key_id.clone();
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    let secret_bytes = match decoding.family() {
        AlgorithmFamily::Hmac => decoding.try_get_as_bytes().map_or(0, <[u8]>::len),
        _ => 0,
    };
    for_signatures.then_some(Key { id, key_type, secret_bytes, algorithm, decoding })
}

#[cfg(test)]
mod tests;
