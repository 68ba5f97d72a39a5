//! A signing key's public forms and one RS256 token, made for each run.

use std::fs;
use std::path::Path;

use anyhow::Result;
use bulkhead_testkit::SigningKey;
use serde_json::json;

/// 2100-01-01, so that no run outlives its token.
const EXPIRY: u64 = 4_102_444_800;
const KEY_ID: &str = "bench";

/// Writes `public.pem`, `jwks.json` and `token` into `directory`.
pub(crate) fn write(directory: &Path) -> Result<()> {
    let key = SigningKey::rs256();
    let claims = json!({ "iss": "bench", "sub": "user-1", "exp": EXPIRY, "iat": 1_790_000_000 });
    fs::write(directory.join("public.pem"), key.public_pem())?;
    fs::write(directory.join("jwks.json"), key.jwks(KEY_ID))?;
    fs::write(directory.join("token"), key.token_with_kid(KEY_ID, &claims))?;
    Ok(())
}

#[cfg(test)]
mod tests;
