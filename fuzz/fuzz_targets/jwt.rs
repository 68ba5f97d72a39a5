//! Any bytes as `Authorization`, at a filter with a key of each kind.
//!
//! What must hold: no panic; nothing passes, as nobody has the keys; and a header that stands for a
//! claim never survives.

#![no_main]

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bulkhead_filter::{
    Caches, Context, Filter, JwtAlgorithm, JwtFilter, JwtProvider, JwtProviderSpec, KeyMaterial,
};
use bulkhead_message::{Known, RequestHead};
use libfuzzer_sys::fuzz_target;

/// The P-256 key of RFC 7515, Appendix A.3, and a secret.
const JWKS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"ec",
"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
/// RFC 8032, §7.1, test 1, as a JWK (RFC 8037, Appendix A.2).
const ED25519: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"ed",
"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

fn filter() -> &'static JwtFilter {
    static FILTER: OnceLock<JwtFilter> = OnceLock::new();
    FILTER.get_or_init(|| {
        let providers = [
            (JwtAlgorithm::Es256, KeyMaterial::Jwks(JWKS.to_owned())),
            (JwtAlgorithm::EdDsa, KeyMaterial::Jwks(ED25519.to_owned())),
            (
                JwtAlgorithm::Hs256,
                KeyMaterial::Secret(b"\x9b a secret that is not in here \x07..".to_vec()),
            ),
        ]
        .map(|(algorithm, keys)| {
            let spec = JwtProviderSpec {
                name: "fuzzed".to_owned(),
                issuer: None,
                audiences: Vec::new(),
                algorithms: vec![algorithm],
                keys,
                skew_s: 30,
                cache_size: 16,
            };
            Arc::new(JwtProvider::new(&spec).expect("the keys are valid"))
        });
        let claims = BTreeMap::from([("sub".to_owned(), "x-user".to_owned())]);
        JwtFilter::new(providers.to_vec(), false, &claims, false).expect("the filter is valid")
    })
}

fuzz_target!(|data: &[u8]| {
    let mut request = RequestHead::new();
    request.fields.push_known(Known::Authorization, data);
    request.fields.push(b"x-user", b"forged");
    let mut caches = Caches::new();
    // Twice: the second time there is a cache that must hold nothing.
    for _ in 0..2 {
        let passed = filter().on_request(&mut Context {
            request: &mut request,
            client: None,
            now_unix_s: 1_300_819_380,
            secure: false,
            caches: &mut caches,
            matched_prefix_len: None,
            key_rotations: &[],
        });
        assert!(passed.is_err(), "nobody has signed this");
        assert!(request.fields.get_named(b"x-user").is_none());
        assert_eq!(caches.jwt.len(), 0);
    }
});
