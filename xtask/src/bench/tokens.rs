//! A signing key, its public forms and one RS256 token, made with `openssl` for each run.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::command::{output, run};

/// 2100-01-01, so that no run outlives its token.
const EXPIRY: u64 = 4_102_444_800;

/// Writes `private.pem`, `public.pem`, `jwks.json` and `token` into `directory`.
pub(crate) fn write(directory: &Path) -> Result<()> {
    let private = directory.join("private.pem");
    let public = directory.join("public.pem");
    output(Command::new("openssl").args(["genrsa", "-out"]).arg(&private).arg("2048"))?;
    output(
        Command::new("openssl")
            .args(["rsa", "-pubout", "-in"])
            .arg(&private)
            .arg("-out")
            .arg(&public),
    )?;
    let modulus =
        output(Command::new("openssl").args(["rsa", "-modulus", "-noout", "-in"]).arg(&private))?;
    let modulus = modulus.trim().strip_prefix("Modulus=").context("read the modulus")?;
    let key = json!({
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "bench",
        "n": base64url(&from_hex(modulus)?), "e": "AQAB",
    });
    fs::write(directory.join("jwks.json"), json!({ "keys": [key] }).to_string())?;

    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "bench" }).to_string();
    let claims =
        json!({ "iss": "bench", "sub": "user-1", "exp": EXPIRY, "iat": 1_790_000_000 }).to_string();
    let signed = format!("{}.{}", base64url(header.as_bytes()), base64url(claims.as_bytes()));
    let message = directory.join("message");
    let signature = directory.join("signature");
    fs::write(&message, &signed)?;
    run(Command::new("openssl")
        .args(["dgst", "-sha256", "-sign"])
        .arg(&private)
        .arg("-out")
        .arg(&signature)
        .arg(&message))?;
    let token = format!("{signed}.{}", base64url(&fs::read(&signature)?));
    fs::write(directory.join("token"), token)?;
    Ok(())
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    (0..text.len() / 2)
        .map(|index| {
            let digits = text.get(index * 2..index * 2 + 2).context("split the modulus")?;
            u8::from_str_radix(digits, 16).context("read the modulus")
        })
        .collect()
}

/// RFC 4648 §5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let group = u32::from_be_bytes(group);
        for position in 0..=chunk.len() {
            let index = group >> (18 - 6 * position) & 63;
            text.push(ALPHABET[index as usize] as char);
        }
    }
    text
}

#[cfg(test)]
mod tests;
