//! Checks the bearer token of a request (RFC 6750, RFC 7519) and turns its claims into headers.
//!
//! A token that was verified once is remembered by the worker, so that the next request with it costs
//! a hash and a comparison; its times are checked every time. Header fields that stand for claims are
//! removed from every request first: an upstream may believe them. Fetches no keys, and
//! never logs or echoes a token.
//!
//! - trusts: neither side; the providers' keys alone
//! - buffers: verified tokens, within the limits of [`JwtCache`]
//! - fuzzed by: `jwt` (any text as a token); its parsers are those of `base64` and `serde_json`

use std::collections::BTreeMap;
use std::sync::Arc;

use bulkhead_message::{Failure, Fields, Known, trim_ows};

use crate::{Context, Filter, FilterError, Flow};

mod cache;
mod claim_headers;
mod keys;
mod provider;
mod reason;
mod rotation;
mod token;

pub use cache::JwtCache;
pub use keys::{JwtAlgorithm, JwtKeyError, KeyMaterial};
pub use provider::{JwtProvider, JwtProviderSpec};
pub use reason::bearer_challenge;
pub use rotation::KeyRotation;

use cache::Verified;
use claim_headers::ClaimHeaders;
use reason::Reason;
use token::Parsed;

/// Longest token that is looked at, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Requires a valid token.
#[derive(Debug)]
pub struct JwtFilter {
    providers: Vec<Arc<JwtProvider>>,
    optional: bool,
    claims: Arc<ClaimHeaders>,
    forward_token: bool,
}

impl JwtFilter {
    /// A filter that passes what any of `providers` vouches for. With `optional`, a request without
    /// a bearer token passes too; a wrong token never does. `claims_to_headers` maps a claim to the
    /// request header that gets it when it is text, a number or a truth value. Unless
    /// `forward_token`, the token does not go upstream.
    ///
    /// # Errors
    /// [`FilterError`]: no provider, or a header that cannot carry a claim.
    pub fn new(
        providers: Vec<Arc<JwtProvider>>,
        optional: bool,
        claims_to_headers: &BTreeMap<String, String>,
        forward_token: bool,
    ) -> Result<Self, FilterError> {
        if providers.is_empty() {
            return Err(FilterError::NoProvider);
        }
        let claims = Arc::new(ClaimHeaders::new(claims_to_headers)?);
        Ok(Self { providers, optional, claims, forward_token })
    }

    /// Verifies the token at the first provider that accepts it.
    fn verify(
        &self,
        token: &[u8],
        now_s: u64,
        rotations: &[Arc<KeyRotation>],
    ) -> Result<(&Arc<JwtProvider>, Verified), Reason> {
        let parsed = Parsed::parse(token)?;
        let mut reason = Reason::Algorithm;
        for provider in &self.providers {
            let rotation = rotation_of(provider, rotations);
            if let Some(rotation) = rotation {
                rotation.hit();
            }
            match provider.verify(&parsed, now_s, rotation.is_some()) {
                Ok(times) => {
                    let headers = self.claims.render(&parsed.claims);
                    return Ok((provider, Verified { times, headers }));
                }
                // The provider that came furthest is the one that the token is meant for.
                Err(other) => reason = reason.max(other),
            }
        }
        Err(reason)
    }

    fn check(&self, context: &mut Context<'_>, token: Token) -> Result<(), Reason> {
        let now_s = context.now_unix_s;
        let fields = &mut context.request.fields;
        let (cache, rotations) = (&mut context.caches.jwt, context.key_rotations);
        let bytes = token.of(fields);
        let hash = self
            .providers
            .iter()
            .any(|provider| provider.cache_size() > 0)
            .then(|| cache.hash(bytes, &self.claims));
        if let Some(hash) = hash {
            for provider in &self.providers {
                if rotation_of(provider, rotations).is_none()
                    && let Some(verified) = cache.get(provider, hash, bytes, &self.claims)
                {
                    verified.times.check(now_s, provider.skew_s())?;
                    self.claims.apply(&verified.headers, fields);
                    return Ok(());
                }
            }
            cache.misses += 1;
        }
        let bytes: Box<[u8]> = bytes.into();
        let (provider, verified) = self.verify(&bytes, now_s, rotations)?;
        self.claims.apply(&verified.headers, fields);
        if let Some(hash) = hash {
            cache.insert(provider, hash, bytes, &self.claims, verified);
        }
        Ok(())
    }
}

/// What has replaced the issuer's keys by others, if anything has.
fn rotation_of<'a>(
    provider: &JwtProvider,
    rotations: &'a [Arc<KeyRotation>],
) -> Option<&'a KeyRotation> {
    rotations.iter().map(|rotation| &**rotation).find(|rotation| rotation.strikes(provider.name()))
}

impl Filter for JwtFilter {
    fn on_request(&self, context: &mut Context<'_>) -> Result<Flow, Failure> {
        let fields = &mut context.request.fields;
        self.claims.strip(fields);
        match Token::find(fields).map_err(Failure::from)? {
            None if self.optional => return Ok(Flow::Continue),
            None => return Err(Reason::Missing.into()),
            Some(token) => self.check(context, token)?,
        }
        let fields = &mut context.request.fields;
        if self.forward_token {
            fields.mark_sensitive(Known::Authorization);
        } else {
            fields.remove(Known::Authorization);
        }
        Ok(Flow::Continue)
    }
}

/// A request has exactly one `authorization` field, with a bearer token in it.
#[derive(Clone, Copy, Debug)]
struct Token;

impl Token {
    /// `None`: no bearer token at all.
    fn find(fields: &Fields) -> Result<Option<Self>, Reason> {
        let mut values = fields.get_all(Known::Authorization);
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            // Which of them would the upstream believe?
            return Err(Reason::Ambiguous);
        }
        match bearer(value) {
            None => Ok(None),
            Some(token) if token.len() > TOKEN_BYTES_MAX => Err(Reason::TooLong),
            Some(_) => Ok(Some(Self)),
        }
    }

    /// Its text.
    fn of(self, fields: &Fields) -> &[u8] {
        fields.get(Known::Authorization).and_then(bearer).unwrap_or(&[])
    }
}

/// The token of credentials with the scheme `Bearer`, in any case (RFC 9110 §11.1).
fn bearer(credentials: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = credentials.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return None;
    }
    match token.first() {
        None => Some(token),
        Some(b' ' | b'\t') => Some(trim_ows(token)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests;
