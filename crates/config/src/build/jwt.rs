//! Token issuers: keys that go with the algorithms, and no private key among them.

use std::collections::BTreeMap;

use super::listener::secret;
use crate::diagnostic::{Report, Show, Span};
use crate::model::{JwtAlgorithm, JwtKeys, JwtProvider};
use crate::value::{Item, TableValue};

pub(super) fn providers(
    entries: &[(Item, Item)],
    report: &mut Report<'_>,
) -> BTreeMap<String, JwtProvider> {
    let mut providers = BTreeMap::new();
    for (key, item) in entries {
        let Some(table) = item.table() else { continue };
        let algorithms = algorithms(table.list("algorithms"), report);
        let Some(keys) = keys(table, report) else { continue };
        check_algorithms(&algorithms, &keys, table, report);
        let name = key.text().to_owned();
        let provider = JwtProvider {
            name: name.clone(),
            issuer: table.string("issuer"),
            audiences: table.strings("audiences"),
            algorithms,
            keys,
            clock_skew: table.duration("clock_skew").unwrap_or_default(),
            cache_size: table.number("cache_size").unwrap_or_default(),
        };
        providers.insert(name, provider);
    }
    providers
}

fn algorithms(items: &[Item], report: &mut Report<'_>) -> Vec<JwtAlgorithm> {
    let mut algorithms = Vec::new();
    for item in items {
        let algorithm = match item.text() {
            "HS256" => JwtAlgorithm::Hs256,
            "HS384" => JwtAlgorithm::Hs384,
            "HS512" => JwtAlgorithm::Hs512,
            "RS256" => JwtAlgorithm::Rs256,
            "PS256" => JwtAlgorithm::Ps256,
            "ES256" => JwtAlgorithm::Es256,
            "EdDSA" => JwtAlgorithm::EdDsa,
            _ => continue,
        };
        if algorithms.contains(&algorithm) {
            report.error(item.span, format!("algorithm `{}` stands twice", item.text()));
        } else {
            algorithms.push(algorithm);
        }
    }
    algorithms
}

fn keys(table: &TableValue, report: &mut Report<'_>) -> Option<JwtKeys> {
    if let Some(item) = table.get("jwks") {
        return inline_jwks(table.text("jwks")?, item.span, report).map(JwtKeys::InlineJwks);
    }
    if let Some(file) = table.text("jwks_file") {
        return Some(JwtKeys::JwksFile(file.into()));
    }
    if let Some(file) = table.text("public_key_file") {
        return Some(JwtKeys::PublicKeyFile(file.into()));
    }
    secret(table, "secret_file", "secret_env").map(JwtKeys::Secret)
}

/// A key set (RFC 7517 §5) that has public keys only.
fn inline_jwks(text: &str, span: Span, report: &mut Report<'_>) -> Option<String> {
    let document: serde_json::Value = match serde_json::from_str(text) {
        Ok(document) => document,
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            report
                .error(
                    span,
                    format!("`jwks` is not JSON: fault in its line {line}, column {column}"),
                )
                .show(Show::Nothing);
            return None;
        }
    };
    let keys = document.get("keys").and_then(serde_json::Value::as_array);
    let Some(keys) = keys.filter(|keys| !keys.is_empty()) else {
        report
            .error(span, "`jwks` has no keys")
            .expected("JWKS document: `{\"keys\": [{\"kty\": …}, …]}`")
            .show(Show::Nothing);
        return None;
    };
    for (index, key) in keys.iter().enumerate() {
        let kind = key.get("kty").and_then(serde_json::Value::as_str);
        let message = match kind {
            None => format!("key {} of `jwks` has no `kty`", index + 1),
            Some("oct") => format!("key {} of `jwks` is a shared secret", index + 1),
            Some(_) if key.get("d").is_some() => {
                format!("key {} of `jwks` is a private key", index + 1)
            }
            Some("RSA" | "EC" | "OKP") => continue,
            Some(_) => {
                format!("key {} of `jwks` has a `kty` that is none of RSA, EC, OKP", index + 1)
            }
        };
        let found = report.error(span, message).show(Show::Nothing);
        match kind {
            Some("oct") => {
                found.remedy("put the secret into a file or environment variable: `secret_file`, `secret_env`");
            }
            Some(_) if key.get("d").is_some() => {
                found.remedy("remove its private members; if the file was shared, replace the key");
            }
            _ => {}
        }
        return None;
    }
    Some(text.to_owned())
}

/// Whoever takes a public key for a shared secret accepts tokens that anybody can sign.
fn check_algorithms(
    algorithms: &[JwtAlgorithm],
    keys: &JwtKeys,
    table: &TableValue,
    report: &mut Report<'_>,
) {
    use JwtAlgorithm::{Hs256, Hs384, Hs512};
    let shared = |algorithm: &JwtAlgorithm| matches!(algorithm, Hs256 | Hs384 | Hs512);
    let Some(item) = table.get("algorithms") else { return };
    let any_shared = algorithms.iter().any(shared);
    let all_shared = algorithms.iter().all(shared);
    match keys {
        JwtKeys::Secret(_) if !all_shared => {
            report
                .error(item.span, "a shared secret goes with `HS256`, `HS384` and `HS512` only")
                .remedy("name a public key (`public_key_file`, `jwks_file`) for the others");
        }
        JwtKeys::PublicKeyFile(_) | JwtKeys::InlineJwks(_) if any_shared => {
            report
                .error(item.span, "`HS…` algorithms need a shared secret, not a public key")
                .remedy("use `secret_file` or `secret_env`, in a provider of its own");
        }
        JwtKeys::JwksFile(_) if any_shared && !all_shared => {
            report
                .error(item.span, "`HS…` algorithms and those with public keys exclude each other")
                .remedy("write a provider for each kind");
        }
        _ => {}
    }
}
