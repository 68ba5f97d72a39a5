//! Signs the pools of tokens of a scenario before the run. Keys that are made for the run never leave the
//! process; only public ones are written, where the scenario says so.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, bail};
use bulkhead_scenario::{Algorithm, SigningKey, TokenSettings};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Map, Value, json};

/// Threads that sign at most.
const THREADS_MAX: usize = 8;

/// The tokens of each pool. Writes public keys into files beside `folder`.
pub(super) fn sign(pools: &[TokenSettings], folder: &Path) -> anyhow::Result<Vec<Vec<String>>> {
    let sign_pool = |pool: &TokenSettings| {
        let (key, jwk) =
            key(pool).with_context(|| format!("read the key of `tokens.{}`", pool.name))?;
        if let (Some(file), Some(jwk)) = (&pool.jwks_file, jwk) {
            let path = folder.join(file);
            let text = format!("{:#}\n", json!({ "keys": [jwk] }));
            std::fs::write(&path, text).with_context(|| format!("write `{}`", path.display()))?;
        }
        sign_all(pool, &key).with_context(|| format!("sign `tokens.{}`", pool.name))
    };
    pools.iter().map(sign_pool).collect()
}

const fn algorithm(pool: &TokenSettings) -> jsonwebtoken::Algorithm {
    match pool.algorithm {
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
    }
}

/// The key, and its public part if that is asked for.
fn key(pool: &TokenSettings) -> anyhow::Result<(EncodingKey, Option<Value>)> {
    let kind = match pool.algorithm {
        Algorithm::Rs256 => &rcgen::PKCS_RSA_SHA256,
        Algorithm::Es256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        Algorithm::EdDsa => &rcgen::PKCS_ED25519,
        Algorithm::Hs256 => match &pool.key {
            SigningKey::Given(secret) => return Ok((EncodingKey::from_secret(secret), None)),
            SigningKey::Generated => bail!("HS256 needs a secret"),
        },
    };
    let (pem, made) = match &pool.key {
        SigningKey::Given(pem) => (pem.clone(), None),
        SigningKey::Generated => {
            let pair = rcgen::KeyPair::generate_for(kind).context("make a key")?;
            (pair.serialize_pem().into_bytes(), Some(pair))
        }
    };
    let key = match pool.algorithm {
        Algorithm::Rs256 => EncodingKey::from_rsa_pem(&pem),
        Algorithm::Es256 => EncodingKey::from_ec_pem(&pem),
        _ => EncodingKey::from_ed_pem(&pem),
    }
    .context("a private key as PEM (PKCS #8) is expected")?;
    if pool.jwks_file.is_none() {
        return Ok((key, None));
    }
    let mut jwk = match made.filter(|_| pool.algorithm == Algorithm::EdDsa) {
        // The library takes keys without their public part alone, and ours have it.
        Some(pair) => {
            let x = base64url(pair.public_key_raw());
            json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": x })
        }
        None => {
            let jwk = Jwk::from_encoding_key(&key, algorithm(pool)).context("make a key set")?;
            serde_json::to_value(jwk).context("write a key set")?
        }
    };
    if let Some(id) = &pool.key_id {
        jwk["kid"] = json!(id);
    }
    jwk["use"] = json!("sig");
    Ok((key, Some(jwk)))
}

/// On as many threads as there are CPUs.
fn sign_all(pool: &TokenSettings, key: &EncodingKey) -> anyhow::Result<Vec<String>> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.context("the clock is before 1970")?.as_secs();
    let header = Header { kid: pool.key_id.clone(), ..Header::new(algorithm(pool)) };
    let sign_one = |index: u64| {
        let mut claims: Map<String, Value> = pool.claims_of(index);
        claims.insert("iat".to_owned(), json!(now));
        claims.insert("exp".to_owned(), json!(now.saturating_add(pool.lifetime.as_secs())));
        jsonwebtoken::encode(&header, &claims, key).context("sign a token")
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = threads.min(THREADS_MAX) as u64;
    let share = pool.count.div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let sign_one = &sign_one;
        let sign_share = |thread: u64| {
            let end = (thread + 1).saturating_mul(share).min(pool.count);
            scope.spawn(move || {
                (thread * share..end).map(sign_one).collect::<anyhow::Result<Vec<_>>>()
            })
        };
        let handles: Vec<_> = (0..threads).map(sign_share).collect();
        let mut tokens = Vec::with_capacity(pool.count as usize);
        for handle in handles {
            tokens.extend(handle.join().map_err(|_| anyhow::anyhow!("a signing thread ended"))??);
        }
        Ok(tokens)
    })
}

/// RFC 4648 §5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..=group.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::jwk::JwkSet;
    use jsonwebtoken::{DecodingKey, Validation, decode};

    use super::*;

    #[test]
    fn tokens_verify_with_the_key_set_that_is_written() {
        let folder = bulkhead_testkit::Scratch::new();
        let scenario = "
targets: {a: 'http://a'}
tokens:
  rsa: {algorithm: RS256, pool: 3, jwks_file: rsa.json, kid: one, claims: {iss: me, sub: 'user-{index}'}}
  ec: {algorithm: ES256, pool: 1, jwks_file: ec.json}
  ed: {algorithm: EdDSA, pool: 1, jwks_file: ed.json}
  hs: {algorithm: HS256, pool: 1, key_file: secret}
requests: [{get: /}]
";
        let secret = b"0123456789abcdef0123456789abcdef".to_vec();
        let surroundings = bulkhead_scenario::Surroundings {
            url: None,
            encode_message: None,
            read: &|_| Ok(secret.clone()),
            check_assertion: &|_| Ok(()),
        };
        let parsed = bulkhead_scenario::parse(scenario, "a.yaml", &surroundings);
        let pools = parsed.map_err(|errors| errors.to_string()).unwrap().tokens;
        let signed = sign(&pools, folder.path()).unwrap();
        assert_eq!(signed.iter().map(Vec::len).collect::<Vec<_>>(), [3, 1, 1, 1]);
        for (pool, tokens) in pools.iter().zip(&signed) {
            let key = match &pool.jwks_file {
                None => DecodingKey::from_secret(&secret),
                Some(file) => {
                    let text = std::fs::read_to_string(folder.path().join(file)).unwrap();
                    assert!(!text.contains("\"d\""), "the private part must stay private");
                    let set: JwkSet = serde_json::from_str(&text).unwrap();
                    assert_eq!(set.keys[0].common.key_id, pool.key_id);
                    DecodingKey::from_jwk(&set.keys[0]).unwrap()
                }
            };
            let mut validation = Validation::new(algorithm(pool));
            validation.validate_aud = false;
            for (index, token) in tokens.iter().enumerate() {
                let claims = decode::<Value>(token, &key, &validation).unwrap().claims;
                assert_eq!(
                    claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(),
                    3_600
                );
                if pool.name == "rsa" {
                    assert_eq!(claims["sub"], format!("user-{index}"));
                }
            }
        }
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, expected) in
            [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("~~~", "fn5-")]
        {
            assert_eq!(base64url(text.as_bytes()), expected);
        }
    }
}
