//! The pool of signed tokens, and the key set that the gateway checks them with.
//!
//! The key is made at the start of each run and never leaves the process. Serving no purpose beyond
//! the run, the tokens carry nothing but what the gateway has to check.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

/// `iss` of every token.
pub(crate) const ISSUER: &str = "https://issuer.prove.example";
/// `aud` of every token.
pub(crate) const AUDIENCE: &str = "feed";
const KEY_ID: &str = "prove";
/// Longer than the longest run.
const LIFETIME_S: u64 = 48 * 3_600;

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    iat: u64,
    exp: u64,
}

/// Signed RS256 tokens (2,048-bit key), each of its own subject.
#[derive(Debug)]
pub(crate) struct TokenPool {
    /// `Bearer …` by number.
    authorizations: Vec<Vec<u8>>,
    subjects: Vec<Vec<u8>>,
    jwks: String,
    public_pem: String,
}

impl TokenPool {
    /// Makes a key and signs `count` tokens, on as many threads as there are CPUs.
    pub(crate) fn generate(count: usize) -> anyhow::Result<Self> {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256)
            .context("generate an RSA key of 2,048 bits")?;
        let public_pem = key.public_key_pem();
        let key = EncodingKey::from_rsa_pem(key.serialize_pem().as_bytes())
            .context("read the generated key")?;
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::RS256).context("make a key set")?;
        jwk.common.key_id = Some(KEY_ID.to_owned());
        let jwks = serde_json::to_string(&JwkSet { keys: vec![jwk] }).context("make a key set")?;
        let subjects: Vec<_> =
            (0..count).map(|number| format!("subject-{number:04}").into_bytes()).collect();
        let authorizations = sign_all(&key, &subjects)?;
        Ok(Self { authorizations, subjects, jwks, public_pem })
    }

    pub(crate) const fn len(&self) -> usize {
        self.subjects.len()
    }

    /// Value of the `authorization` field with token `number`.
    pub(crate) fn authorization(&self, number: usize) -> &[u8] {
        self.authorizations.get(number).map_or(b"", Vec::as_slice)
    }

    /// `sub` of token `number`.
    pub(crate) fn subject(&self, number: usize) -> &[u8] {
        self.subjects.get(number).map_or(b"", Vec::as_slice)
    }

    /// The public key in PEM, for those who do not read key sets.
    pub(crate) fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// Public keys as a JWKS document (RFC 7517).
    pub(crate) fn jwks(&self) -> &str {
        &self.jwks
    }
}

fn sign_all(key: &EncodingKey, subjects: &[Vec<u8>]) -> anyhow::Result<Vec<Vec<u8>>> {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .context("the clock is before 1970")?
        .as_secs();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(8);
    let next = AtomicUsize::new(0);
    let mut signed: Vec<(usize, Vec<u8>)> = std::thread::scope(|scope| {
        let sign_some = || {
            let mut signed = Vec::new();
            while let Some((number, subject)) = {
                let number = next.fetch_add(1, Ordering::Relaxed);
                subjects.get(number).map(|subject| (number, subject))
            } {
                signed.push((number, sign(key, &String::from_utf8_lossy(subject), now)?));
            }
            anyhow::Ok(signed)
        };
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(sign_some)).collect();
        let mut all = Vec::with_capacity(subjects.len());
        for handle in handles {
            all.extend(handle.join().map_err(|_| anyhow::anyhow!("a signing thread ended"))??);
        }
        anyhow::Ok(all)
    })?;
    signed.sort_unstable_by_key(|(number, _)| *number);
    Ok(signed.into_iter().map(|(_, token)| token).collect())
}

fn sign(key: &EncodingKey, subject: &str, now: u64) -> anyhow::Result<Vec<u8>> {
    let header = Header { kid: Some(KEY_ID.to_owned()), ..Header::new(Algorithm::RS256) };
    let claims =
        Claims { iss: ISSUER, aud: AUDIENCE, sub: subject, iat: now, exp: now + LIFETIME_S };
    let token = jsonwebtoken::encode(&header, &claims, key).context("sign a token")?;
    Ok(format!("Bearer {token}").into_bytes())
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation, decode};
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_token_verifies_with_the_key_set_and_names_its_subject() {
        let pool = TokenPool::generate(5).unwrap();
        let jwks: JwkSet = serde_json::from_str(pool.jwks()).unwrap();
        let key = DecodingKey::from_jwk(&jwks.keys[0]).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        for number in 0..5 {
            let token = &pool.authorization(number)[b"Bearer ".len()..];
            let claims = decode::<Value>(token, &key, &validation).unwrap().claims;
            assert_eq!(claims["sub"].as_str().unwrap().as_bytes(), pool.subject(number));
        }
        assert!(!pool.jwks().contains("\"d\""), "the private part must stay private");
        assert_eq!((pool.authorization(5), pool.subject(5)), (&b""[..], &b""[..]));
    }
}
