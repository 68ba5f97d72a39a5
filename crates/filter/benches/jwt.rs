//! What a token costs a request: cached, not cached, and the bare signature check.
//!
//! `cargo bench -p bulkhead-filter --bench jwt`. Each round builds the request head anew, as the
//! filter changes it; `head_alone` is that part, to be taken off the others.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use bulkhead_filter::{
    Caches, Context, Filter, JwtAlgorithm, JwtFilter, JwtProvider, JwtProviderSpec, KeyMaterial,
};
use bulkhead_message::{Known, RequestHead};
use criterion::{Criterion, criterion_group, criterion_main};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, crypto};

const NOW: u64 = 1_700_000_000;

fn filter(public_pem: &str, cache_size: usize) -> JwtFilter {
    let spec = JwtProviderSpec {
        name: "ours".to_owned(),
        issuer: Some("https://issuer.test".to_owned()),
        audiences: vec!["gateway".to_owned()],
        algorithms: vec![JwtAlgorithm::Rs256],
        keys: KeyMaterial::PublicKeyPem(public_pem.as_bytes().to_vec()),
        skew_s: 60,
        cache_size,
    };
    let provider = Arc::new(JwtProvider::new(&spec).expect("a fitting key"));
    let claims = BTreeMap::from([("sub".to_owned(), "x-user-id".to_owned())]);
    JwtFilter::new(vec![provider], false, &claims, false).expect("a good header name")
}

fn fill(request: &mut RequestHead, authorization: &[u8]) {
    request.clear();
    request.set_authority(b"gateway.test");
    request.set_target(b"/api/v1/123456/feed");
    request.fields.push_known(Known::UserAgent, b"load/1.0");
    request.fields.push_known(Known::Accept, b"application/json");
    request.fields.push_known(Known::Authorization, authorization);
    request.fields.push(b"x-custom", b"value");
}

fn run(filter: &JwtFilter, request: &mut RequestHead, caches: &mut Caches) {
    let mut context = Context {
        request,
        client: None,
        now_unix_s: NOW,
        secure: false,
        key_rotations: &[],
        caches,
        matched_prefix_len: None,
    };
    black_box(filter.on_request(&mut context)).expect("a good token");
}

fn jwt(criterion: &mut Criterion) {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("an RSA key");
    let public_pem = pair.public_key_pem();
    let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).expect("an RSA key");
    // As an identity provider's: about 600 bytes.
    let token = |user: usize| {
        let claims = serde_json::json!({
            "iss": "https://issuer.test", "aud": "gateway", "sub": format!("user-{user:06}"),
            "exp": NOW + 3600, "nbf": NOW - 60, "iat": NOW - 60, "scope": "feed:read profile",
            "jti": "0d8c1f2e-3f67-4a6b-9c55-1f6f5d1f2a77",
        });
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).expect("a token")
    };
    let tokens: Vec<String> = (0..1000).map(token).collect();
    let fields: Vec<String> = tokens.iter().map(|token| format!("Bearer {token}")).collect();
    let first = tokens.first().expect("a token");
    let mut group = criterion.benchmark_group(format!("jwt/{}_bytes", first.len()));
    let mut request = RequestHead::new();
    let mut next = {
        let mut at = 0;
        move || {
            at = (at + 1) % 1000;
            at
        }
    };
    group.bench_function("head_alone", |bencher| {
        bencher.iter(|| fill(black_box(&mut request), fields[next()].as_bytes()));
    });
    let cached = filter(&public_pem, 10_000);
    let mut caches = Caches::new();
    group.bench_function("hit_with_head", |bencher| {
        bencher.iter(|| {
            fill(&mut request, fields[next()].as_bytes());
            run(&cached, &mut request, &mut caches);
        });
    });
    let uncached = filter(&public_pem, 0);
    group.bench_function("no_cache_with_head", |bencher| {
        bencher.iter(|| {
            fill(&mut request, fields[next()].as_bytes());
            run(&uncached, &mut request, &mut caches);
        });
    });
    let small = filter(&public_pem, 10);
    group.bench_function("miss_and_evict_with_head", |bencher| {
        bencher.iter(|| {
            fill(&mut request, fields[next()].as_bytes());
            run(&small, &mut request, &mut caches);
        });
    });
    let key = DecodingKey::from_rsa_pem(public_pem.as_bytes()).expect("an RSA key");
    let (input, signature) = first.rsplit_once('.').expect("a token");
    group.bench_function("rs256_alone", |bencher| {
        bencher.iter(|| crypto::verify(signature, input.as_bytes(), &key, Algorithm::RS256));
    });
    group.finish();
}

criterion_group!(benches, jwt);
criterion_main!(benches);
