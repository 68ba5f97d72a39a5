use jsonwebtoken::{Validation, decode};
use serde_json::json;

use super::*;

#[test]
fn tokens_verify_with_their_jwks_and_pem() {
    for key in [
        SigningKey::rs256(),
        SigningKey::ps256(),
        SigningKey::es256(),
        SigningKey::ed25519(),
        SigningKey::hs256(b"a secret of thirty-two bytes ...."),
    ] {
        let claims = json!({ "sub": "user-1", "exp": 4_000_000_000_u64 });
        let token = key.token_with_kid("key-1", &claims);
        let set: JwkSet = serde_json::from_str(&key.jwks("key-1")).unwrap();
        let verifying = DecodingKey::from_jwk(set.find("key-1").unwrap()).unwrap();
        let validation = Validation::new(key.algorithm);
        let decoded = decode::<Value>(&token, &verifying, &validation)
            .unwrap_or_else(|error| panic!("{:?}: {error}", key.algorithm));
        assert_eq!(decoded.claims, claims);
        assert_eq!(decoded.header.kid.as_deref(), Some("key-1"));
        if !key.public_pem().is_empty() {
            assert!(key.public_pem().starts_with("-----BEGIN PUBLIC KEY-----"));
            assert!(key.private_pem().starts_with("-----BEGIN PRIVATE KEY-----"));
        }
    }
}

#[test]
fn another_key_does_not_verify() {
    let claims = json!({ "exp": 4_000_000_000_u64 });
    let token = SigningKey::es256().token(&claims);
    let other = SigningKey::es256();
    let verifying = DecodingKey::from_jwk(&other.jwk("x")).unwrap();
    assert!(decode::<Value>(&token, &verifying, &Validation::new(Algorithm::ES256)).is_err());
}
