//! The compact form of a signed token (RFC 7515 §7.1) taken apart, and its times. Nothing in it is to
//! be believed before the signature is checked.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::keys::JwtAlgorithm;
use super::reason::Reason;

#[derive(Debug)]
pub(super) struct Parsed<'a> {
    pub(super) signing_input: &'a [u8],
    pub(super) signature: &'a str,
    pub(super) algorithm: JwtAlgorithm,
    pub(super) key_id: Option<String>,
    pub(super) claims: Map<String, Value>,
}

impl<'a> Parsed<'a> {
    pub(super) fn parse(token: &'a [u8]) -> Result<Self, Reason> {
        let token = std::str::from_utf8(token).map_err(|_| Reason::Malformed)?;
        let (signing_input, signature) = token.rsplit_once('.').ok_or(Reason::Malformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or(Reason::Malformed)?;
        if signature.is_empty() && payload.is_empty() {
            return Err(Reason::Malformed);
        }
        let mut header = object(header)?;
        // We understand no extension, `b64` (RFC 7797) included (RFC 7515 §4.1.11).
        if header.contains_key("crit") {
            return Err(Reason::Critical);
        }
        let algorithm = match header.get("alg") {
            Some(Value::String(name)) => JwtAlgorithm::of(name).ok_or(Reason::Algorithm)?,
            _ => return Err(Reason::Malformed),
        };
        let key_id = match header.remove("kid") {
            None => None,
            Some(Value::String(id)) => Some(id),
            Some(_) => return Err(Reason::Malformed),
        };
        let signing_input = signing_input.as_bytes();
        Ok(Self { signing_input, signature, algorithm, key_id, claims: object(payload)? })
    }
}

fn object(part: &str) -> Result<Map<String, Value>, Reason> {
    let text = URL_SAFE_NO_PAD.decode(part).map_err(|_| Reason::Malformed)?;
    serde_json::from_slice(&text).map_err(|_| Reason::Malformed)
}

/// When a token may be used, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    expires_s: u64,
    not_before_s: u64,
}

impl Times {
    /// `exp` must be there; `nbf` may.
    pub(super) fn of(claims: &Map<String, Value>) -> Result<Self, Reason> {
        let expires_s = claims.get("exp").and_then(numeric_date).ok_or(Reason::Times)?;
        let not_before_s = match claims.get("nbf") {
            None => 0,
            // A fraction counts up: not a moment too early.
            Some(nbf) => {
                let whole = numeric_date(nbf).ok_or(Reason::Times)?;
                let fraction = nbf.as_f64().is_some_and(|seconds| seconds.fract() > 0.0);
                whole.saturating_add(u64::from(fraction))
            }
        };
        Ok(Self { expires_s, not_before_s })
    }

    /// Whether the token may be used at `now_s`, with clocks that differ by less than `skew_s`
    /// (RFC 7519 §4.1.4, §4.1.5).
    pub(super) const fn check(self, now_s: u64, skew_s: u64) -> Result<(), Reason> {
        if now_s >= self.expires_s.saturating_add(skew_s) {
            return Err(Reason::Expired);
        }
        if now_s.saturating_add(skew_s) < self.not_before_s {
            return Err(Reason::NotYetValid);
        }
        Ok(())
    }
}

/// Whole seconds of a NumericDate (RFC 7519 §2), which may have a fraction; a time before 1970 is 0.
fn numeric_date(value: &Value) -> Option<u64> {
    let Value::Number(number) = value else { return None };
    match (number.as_u64(), number.as_f64()) {
        (Some(seconds), _) => Some(seconds),
        // The conversion saturates.
        (None, Some(seconds)) if seconds.is_finite() => Some(seconds as u64),
        _ => None,
    }
}
