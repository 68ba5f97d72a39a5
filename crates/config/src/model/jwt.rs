//! Token issuers.

use std::path::PathBuf;
use std::time::Duration;

use super::SecretSource;

/// A token issuer.
#[derive(Clone, Debug, PartialEq)]
pub struct JwtProvider {
    /// Its name.
    pub name: String,
    /// Required `iss`; `None`: not checked.
    pub issuer: Option<String>,
    /// Any of these in `aud`; empty: not checked.
    pub audiences: Vec<String>,
    /// Accepted algorithms; never empty.
    pub algorithms: Vec<JwtAlgorithm>,
    /// Keys.
    pub keys: JwtKeys,
    /// Clock skew allowed for `exp` and `nbf`. Default 60 s.
    pub clock_skew: Duration,
    /// Tokens in each worker's cache; 0: no cache. Default 10,000.
    pub cache_size: usize,
}

/// Signature algorithms (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of RFC 7518")]
pub enum JwtAlgorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

/// Where the verification keys are.
#[derive(Clone, Debug, PartialEq)]
pub enum JwtKeys {
    /// A JWKS document in the configuration.
    InlineJwks(String),
    /// A file with a JWKS document.
    JwksFile(PathBuf),
    /// A file with one PEM public key.
    PublicKeyFile(PathBuf),
    /// A shared secret for HS*.
    Secret(SecretSource),
}
