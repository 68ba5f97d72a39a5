use std::sync::LazyLock;

use bulkhead_message::FailureKind;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::KeyPair;
use serde_json::{Value, json};

use super::*;
use crate::Caches;
use crate::chain::tests::Exchange;

mod caching;
mod rotation;

pub(super) const NOW: u64 = 1_700_000_000;
const SECRET: &[u8] = &[42; 64];

/// A key of each type, made once: RSA takes a while.
struct Pairs {
    rsa: KeyPair,
    ec: KeyPair,
    ed: KeyPair,
}

static PAIRS: LazyLock<Pairs> = LazyLock::new(|| Pairs {
    rsa: KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap(),
    ec: KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap(),
    ed: KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap(),
});

fn material(algorithm: JwtAlgorithm) -> KeyMaterial {
    let pair = match algorithm {
        JwtAlgorithm::Rs256 | JwtAlgorithm::Ps256 => &PAIRS.rsa,
        JwtAlgorithm::Es256 => &PAIRS.ec,
        JwtAlgorithm::EdDsa => &PAIRS.ed,
        _ => return KeyMaterial::Secret(SECRET.to_vec()),
    };
    KeyMaterial::PublicKeyPem(pair.public_key_pem().into_bytes())
}

pub(super) fn sign(algorithm: JwtAlgorithm, key_id: Option<&str>, claims: &Value) -> String {
    let (algorithm, key) = match algorithm {
        JwtAlgorithm::Hs256 => (Algorithm::HS256, EncodingKey::from_secret(SECRET)),
        JwtAlgorithm::Hs384 => (Algorithm::HS384, EncodingKey::from_secret(SECRET)),
        JwtAlgorithm::Hs512 => (Algorithm::HS512, EncodingKey::from_secret(SECRET)),
        JwtAlgorithm::Rs256 | JwtAlgorithm::Ps256 => {
            let key = EncodingKey::from_rsa_pem(PAIRS.rsa.serialize_pem().as_bytes()).unwrap();
            let pss = algorithm == JwtAlgorithm::Ps256;
            (if pss { Algorithm::PS256 } else { Algorithm::RS256 }, key)
        }
        JwtAlgorithm::Es256 => {
            let key = EncodingKey::from_ec_pem(PAIRS.ec.serialize_pem().as_bytes()).unwrap();
            (Algorithm::ES256, key)
        }
        JwtAlgorithm::EdDsa => {
            let key = EncodingKey::from_ed_pem(PAIRS.ed.serialize_pem().as_bytes()).unwrap();
            (Algorithm::EdDSA, key)
        }
    };
    let header = Header { kid: key_id.map(str::to_owned), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, claims, &key).unwrap()
}

pub(super) fn hs256(claims: &Value) -> String {
    sign(JwtAlgorithm::Hs256, None, claims)
}

pub(super) fn good_claims() -> Value {
    json!({"iss": "issuer", "aud": "us", "sub": "alice", "exp": NOW + 100})
}

pub(super) fn spec() -> JwtProviderSpec {
    JwtProviderSpec {
        name: "ours".to_owned(),
        issuer: Some("issuer".to_owned()),
        audiences: vec!["them".to_owned(), "us".to_owned()],
        algorithms: vec![JwtAlgorithm::Hs256],
        keys: material(JwtAlgorithm::Hs256),
        skew_s: 0,
        cache_size: 100,
    }
}

pub(super) fn filter(spec: &JwtProviderSpec, claims: &[(&str, &str)]) -> JwtFilter {
    filter_of(vec![Arc::new(JwtProvider::new(spec).unwrap())], claims)
}

pub(super) fn filter_of(providers: Vec<Arc<JwtProvider>>, claims: &[(&str, &str)]) -> JwtFilter {
    let claims = claims.iter().map(|&(claim, name)| (claim.to_owned(), name.to_owned())).collect();
    JwtFilter::new(providers, false, &claims, false).unwrap()
}

pub(super) fn exchange(authorization: &[&str]) -> Exchange {
    let mut exchange = Exchange::new("h", "/");
    exchange.now_unix_s = NOW;
    for value in authorization {
        exchange.request.fields.push_known(Known::Authorization, value.as_bytes());
    }
    exchange
}

/// What the filter says, twice: the second time from the cache, if it is let in.
pub(super) fn verdict(filter: &JwtFilter, token: &str, now_s: u64) -> Result<(), &'static str> {
    let mut caches = Caches::new();
    let mut run = || {
        let mut exchange = exchange(&[&format!("Bearer {token}")]);
        exchange.now_unix_s = now_s;
        std::mem::swap(&mut exchange.caches, &mut caches);
        let flow = exchange.run(filter);
        std::mem::swap(&mut exchange.caches, &mut caches);
        match flow {
            Ok(Flow::Continue) => Ok(()),
            Ok(Flow::Respond(_)) => panic!("it never answers itself"),
            Err(failure) => {
                assert_eq!(failure.kind, FailureKind::Unauthenticated);
                assert_eq!(failure.status(), 401);
                Err(failure.detail)
            }
        }
    };
    let first = run();
    assert_eq!(first, run(), "the second time differs");
    first
}

#[track_caller]
fn check(claims: &Value, now_s: u64, skew_s: u64, expect: Result<(), Reason>) {
    let filter = filter(&JwtProviderSpec { skew_s, ..spec() }, &[]);
    assert_eq!(verdict(&filter, &hs256(claims), now_s), expect.map_err(Reason::detail), "{claims}");
}

#[test]
fn every_algorithm_is_accepted_only_with_its_own_key_and_when_allowed() {
    for algorithm in JwtAlgorithm::ALL {
        let spec =
            JwtProviderSpec { algorithms: vec![algorithm], keys: material(algorithm), ..spec() };
        let filter = filter(&spec, &[]);
        for signed_with in JwtAlgorithm::ALL {
            let token = sign(signed_with, None, &good_claims());
            let expect =
                if signed_with == algorithm { Ok(()) } else { Err(Reason::Algorithm.detail()) };
            assert_eq!(verdict(&filter, &token, NOW), expect, "{algorithm} and {signed_with}");
        }
        let token = sign(algorithm, None, &good_claims());
        let (input, signature) = token.rsplit_once('.').unwrap();
        let wrong = Err(Reason::Signature.detail());
        let turned: String = signature.chars().rev().collect();
        assert_eq!(verdict(&filter, &format!("{input}.{turned}"), NOW), wrong, "{algorithm}");
        assert_eq!(verdict(&filter, &format!("{input}."), NOW), wrong, "{algorithm}");
        let other = sign(algorithm, None, &json!({"iss": "issuer", "aud": "us", "exp": NOW + 9}));
        let payload = other.split('.').nth(1).unwrap();
        let header = token.split('.').next().unwrap();
        let mixed = format!("{header}.{payload}.{signature}");
        assert_eq!(verdict(&filter, &mixed, NOW), wrong, "{algorithm}");
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    // The classic: HS256 over the text of the RSA public key, which everybody has.
    let pem = PAIRS.rsa.public_key_pem();
    let header = Header::new(Algorithm::HS256);
    let forged =
        jsonwebtoken::encode(&header, &good_claims(), &EncodingKey::from_secret(pem.as_bytes()))
            .unwrap();
    let rsa = JwtProviderSpec {
        algorithms: vec![JwtAlgorithm::Rs256, JwtAlgorithm::Ps256],
        keys: material(JwtAlgorithm::Rs256),
        ..spec()
    };
    assert_eq!(verdict(&filter(&rsa, &[]), &forged, NOW), Err(Reason::Algorithm.detail()));
    let both = JwtProviderSpec {
        algorithms: vec![JwtAlgorithm::Rs256, JwtAlgorithm::Hs256],
        keys: material(JwtAlgorithm::Rs256),
        ..spec()
    };
    let algorithm = JwtAlgorithm::Hs256;
    let refused = JwtKeyError::Unfit { algorithm, found: "an RSA key" };
    assert_eq!(JwtProvider::new(&both).map(|_| ()), Err(refused));
}

fn unsigned(header: &Value, payload: &str) -> String {
    use base64::Engine;
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.", encode(&header.to_string()), encode(payload))
}

#[test]
fn no_signature_is_no_token() {
    let filter = filter(&spec(), &[]);
    let claims = good_claims().to_string();
    for alg in ["none", "None", "NONE", "", "hs256", "HS256 ", "RS384", "ES384"] {
        let token = unsigned(&json!({"alg": alg}), &claims);
        let refused = Err(Reason::Algorithm.detail());
        assert_eq!(verdict(&filter, &token, NOW), refused, "{alg}");
        assert_eq!(verdict(&filter, &format!("{token}AAAA"), NOW), refused, "{alg}");
    }
    let token = unsigned(&json!({"alg": "HS256"}), &claims);
    assert_eq!(verdict(&filter, &token, NOW), Err(Reason::Signature.detail()));
}

#[test]
fn malformed_tokens_are_refused() {
    let filter = filter(&spec(), &[]);
    let good = hs256(&good_claims());
    let half = &good[..good.len() / 2];
    let deep = "[".repeat(4000);
    for token in [
        "",
        ".",
        "..",
        "...",
        "a",
        "a.b",
        "a.b.c",
        half,
        "\u{e9}.\u{e9}.\u{e9}",
        &format!("{good}.x"),
        &format!("x.{good}"),
        &format!("{good}="),
        &good.replace('.', " "),
        &unsigned(&json!({}), "{}"),
        &unsigned(&json!({"alg": 1}), "{}"),
        &unsigned(&json!([]), "{}"),
        &unsigned(&json!({"alg": "HS256", "kid": 7}), "{}"),
        &unsigned(&json!({"alg": "HS256"}), "[]"),
        &unsigned(&json!({"alg": "HS256"}), "{"),
        &unsigned(&json!({"alg": "HS256"}), &deep),
    ] {
        let detail = verdict(&filter, token, NOW).unwrap_err();
        let expect = [Reason::Malformed.detail(), Reason::Signature.detail()];
        assert!(expect.contains(&detail), "{token}: {detail}");
    }
    let critical = json!({"alg": "HS256", "crit": ["b64"], "b64": false});
    let token = unsigned(&critical, "{}");
    assert_eq!(verdict(&filter, &token, NOW), Err(Reason::Critical.detail()));
    let long = format!("{good}{}", "A".repeat(TOKEN_BYTES_MAX));
    assert_eq!(verdict(&filter, &long, NOW), Err(Reason::TooLong.detail()));
}

#[test]
fn times_are_checked_to_the_second() {
    let with =
        |exp: Value, nbf: Value| json!({"iss": "issuer", "aud": "us", "exp": exp, "nbf": nbf});
    let exp = |exp: Value| json!({"iss": "issuer", "aud": "us", "exp": exp});
    check(&exp(json!(NOW + 1)), NOW, 0, Ok(()));
    check(&exp(json!(NOW)), NOW, 0, Err(Reason::Expired));
    check(&exp(json!(NOW - 59)), NOW, 60, Ok(()));
    check(&exp(json!(NOW - 60)), NOW, 60, Err(Reason::Expired));
    check(&exp(json!(NOW as f64 + 1.5)), NOW, 0, Ok(()));
    check(&exp(json!(NOW as f64 + 0.5)), NOW, 0, Err(Reason::Expired));
    check(&exp(json!(-1)), NOW, 60, Err(Reason::Expired));
    check(&exp(json!(1e300)), NOW, 0, Ok(()));
    check(&exp(json!(u64::MAX)), NOW, u64::MAX, Ok(()));
    let far = json!(NOW + 100);
    check(&with(far.clone(), json!(NOW)), NOW, 0, Ok(()));
    check(&with(far.clone(), json!(NOW + 1)), NOW, 0, Err(Reason::NotYetValid));
    check(&with(far.clone(), json!(NOW + 60)), NOW, 60, Ok(()));
    check(&with(far.clone(), json!(NOW + 61)), NOW, 60, Err(Reason::NotYetValid));
    check(&with(far.clone(), json!(NOW as f64 + 0.5)), NOW, 0, Err(Reason::NotYetValid));
    check(&with(far.clone(), json!(-5)), NOW, 0, Ok(()));
    for bad in [json!(null), json!("soon"), json!([]), json!(true)] {
        check(&exp(bad.clone()), NOW, 0, Err(Reason::Times));
        check(&with(far.clone(), bad), NOW, 0, Err(Reason::Times));
    }
    check(&json!({"iss": "issuer", "aud": "us"}), NOW, 0, Err(Reason::Times));
}

#[test]
fn issuer_and_audience_must_be_ours() {
    let with = |iss: Value, aud: Value| json!({"iss": iss, "aud": aud, "exp": NOW + 100});
    check(&with(json!("issuer"), json!("them")), NOW, 0, Ok(()));
    check(&with(json!("issuer"), json!(["x", 7, "us"])), NOW, 0, Ok(()));
    check(&with(json!("issuer"), json!(["x"])), NOW, 0, Err(Reason::Audience));
    check(&with(json!("issuer"), json!([])), NOW, 0, Err(Reason::Audience));
    check(&with(json!("issuer"), json!("US")), NOW, 0, Err(Reason::Audience));
    check(&with(json!("issuer"), json!(null)), NOW, 0, Err(Reason::Audience));
    check(&with(json!("issuer2"), json!("us")), NOW, 0, Err(Reason::Issuer));
    check(&with(json!(["issuer"]), json!("us")), NOW, 0, Err(Reason::Issuer));
    check(&json!({"exp": NOW + 100, "aud": "us"}), NOW, 0, Err(Reason::Issuer));
    let open = JwtProviderSpec { issuer: None, audiences: Vec::new(), ..spec() };
    let token = hs256(&json!({"exp": NOW + 100}));
    assert_eq!(verdict(&filter(&open, &[]), &token, NOW), Ok(()));
}

#[test]
fn a_key_id_must_be_known_where_keys_have_ids() {
    use base64::Engine;
    let k = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(SECRET);
    let jwks = format!(r#"{{"keys":[{{"kty":"oct","kid":"one","k":"{k}"}}]}}"#);
    let with_ids = filter(&JwtProviderSpec { keys: KeyMaterial::Jwks(jwks), ..spec() }, &[]);
    let without = filter(&spec(), &[]);
    for (key_id, expect) in
        [(None, Ok(())), (Some("one"), Ok(())), (Some("two"), Err(Reason::UnknownKey.detail()))]
    {
        let token = sign(JwtAlgorithm::Hs256, key_id, &good_claims());
        assert_eq!(verdict(&with_ids, &token, NOW), expect, "{key_id:?}");
        assert_eq!(verdict(&without, &token, NOW), Ok(()), "{key_id:?}");
    }
}

#[test]
fn any_provider_may_vouch_and_the_nearest_tells_why_not() {
    let other = JwtProviderSpec {
        issuer: Some("other".to_owned()),
        algorithms: vec![JwtAlgorithm::EdDsa],
        keys: material(JwtAlgorithm::EdDsa),
        ..spec()
    };
    let providers = [spec(), other].map(|spec| Arc::new(JwtProvider::new(&spec).unwrap()));
    let filter = filter_of(providers.to_vec(), &[]);
    let other = |exp: u64| json!({"iss": "other", "aud": "us", "exp": exp});
    let ed = |claims: &Value| sign(JwtAlgorithm::EdDsa, None, claims);
    assert_eq!(verdict(&filter, &hs256(&good_claims()), NOW), Ok(()));
    assert_eq!(verdict(&filter, &ed(&other(NOW + 1)), NOW), Ok(()));
    assert_eq!(verdict(&filter, &ed(&other(NOW)), NOW), Err(Reason::Expired.detail()));
    assert_eq!(verdict(&filter, &ed(&good_claims()), NOW), Err(Reason::Issuer.detail()));
    assert_eq!(verdict(&filter, &hs256(&other(NOW + 1)), NOW), Err(Reason::Issuer.detail()));
    assert_eq!(
        JwtFilter::new(vec![], true, &BTreeMap::new(), true).unwrap_err(),
        FilterError::NoProvider
    );
}

#[track_caller]
fn check_credentials(values: &[&str], optional: bool, expect: Result<bool, Reason>) {
    let provider = Arc::new(JwtProvider::new(&spec()).unwrap());
    let filter = JwtFilter::new(vec![provider], optional, &BTreeMap::new(), false).unwrap();
    let mut exchange = exchange(values);
    let verdict =
        exchange.run(&filter).map(|_| exchange.request.fields.contains(Known::Authorization));
    assert_eq!(
        verdict.map_err(|failure| failure.detail),
        expect.map_err(Reason::detail),
        "{values:?}"
    );
}

#[test]
fn there_is_one_authorization_field_with_a_bearer_token() {
    let token = hs256(&good_claims());
    let [bearer, lower, spaces] =
        [format!("Bearer {token}"), format!("bEARER {token}"), format!("Bearer   {token}")];
    for good in [&bearer, &lower, &spaces] {
        check_credentials(&[good], false, Ok(false));
        check_credentials(&[good], true, Ok(false));
    }
    let no_token: [&[&str]; 4] = [&[], &["Basic YTpi"], &["Bearerx y"], &["Bear"]];
    for none in no_token {
        check_credentials(none, false, Err(Reason::Missing));
        check_credentials(none, true, Ok(!none.is_empty()));
    }
    for optional in [false, true] {
        check_credentials(&[&bearer, &bearer], optional, Err(Reason::Ambiguous));
        check_credentials(&["Basic YTpi", &bearer], optional, Err(Reason::Ambiguous));
        check_credentials(&["Bearer"], optional, Err(Reason::Malformed));
        check_credentials(&["Bearer "], optional, Err(Reason::Malformed));
        check_credentials(&["Bearer x"], optional, Err(Reason::Malformed));
        check_credentials(&[&format!("{bearer} x")], optional, Err(Reason::Signature));
        check_credentials(&[&format!("{bearer}, {bearer}")], optional, Err(Reason::Malformed));
    }
}

#[test]
fn a_forwarded_token_stays_out_of_tables_and_logs() {
    let provider = Arc::new(JwtProvider::new(&spec()).unwrap());
    let filter = JwtFilter::new(vec![provider], false, &BTreeMap::new(), true).unwrap();
    let mut exchange = exchange(&[&format!("Bearer {}", hs256(&good_claims()))]);
    exchange.run(&filter).unwrap();
    let field = exchange.request.fields.iter().next().unwrap();
    assert_eq!((field.known, field.sensitive), (Known::Authorization, true));
}

#[track_caller]
fn check_claims(claims: &Value, sent: &[(&str, &str)], expect: &[(&str, &str)]) {
    let names = [("sub", "X-User"), ("n", "x-number"), ("b", "x-flag"), ("from", "from")];
    let filter = filter(&spec(), &names);
    let mut merged = good_claims();
    merged.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let mut exchange = exchange(&[&format!("Bearer {}", hs256(&merged))]);
    for (name, value) in sent {
        exchange.request.fields.push(name.as_bytes(), value.as_bytes());
    }
    // The claims are in the order of the map: b, from, n, sub.
    for _ in 0..2 {
        let mut again = exchange.request.clone();
        std::mem::swap(&mut again, &mut exchange.request);
        exchange.run(&filter).unwrap();
        std::mem::swap(&mut again, &mut exchange.request);
        assert_eq!(again.fields, expect.iter().copied().collect(), "{claims}");
    }
    assert_eq!((exchange.caches.jwt.hits(), exchange.caches.jwt.misses()), (1, 1));
}

#[test]
fn claims_become_headers() {
    check_claims(&json!({}), &[], &[("x-user", "alice")]);
    let all = json!({"n": 7, "b": true, "from": "me"});
    let expect = [("x-flag", "true"), ("from", "me"), ("x-number", "7"), ("x-user", "alice")];
    check_claims(&all, &[], &expect);
    check_claims(&json!({"sub": "zoë"}), &[("a", "b")], &[("a", "b"), ("x-user", "zoë")]);
    check_claims(&json!({"n": -3, "sub": ""}), &[], &[("x-number", "-3"), ("x-user", "")]);
    check_claims(&json!({"n": 1.5, "sub": null}), &[], &[("x-number", "1.5")]);
}

#[test]
fn claims_that_no_header_can_carry_are_left_out() {
    for value in ["a\r\nx-admin: 1", "a\nb", "a\0", " alice", "alice ", "a\u{7f}"] {
        check_claims(&json!({"sub": value}), &[], &[]);
    }
    for value in [json!(["alice"]), json!({"name": "alice"}), json!(null), json!(1e25)] {
        check_claims(&json!({"sub": value}), &[], &[]);
    }
}

#[test]
fn no_client_can_send_a_claim_itself() {
    let forged = [
        ("x-user", "root"),
        ("x-number", "0"),
        ("x-user", "root"),
        ("x_user", "root"),
        ("from", "root"),
        ("x-flag", "true"),
        ("x-users", "fine"),
    ];
    check_claims(&json!({}), &forged, &[("x-users", "fine"), ("x-user", "alice")]);
    // Also without a token, where that is allowed.
    let provider = Arc::new(JwtProvider::new(&spec()).unwrap());
    let claims = [("sub".to_owned(), "x-user".to_owned())].into();
    let filter = JwtFilter::new(vec![provider], true, &claims, false).unwrap();
    let mut exchange = Exchange::new("h", "/");
    exchange.request.fields = [("x-user", "root"), ("a", "b")].into_iter().collect();
    exchange.run(&filter).unwrap();
    assert_eq!(exchange.request.fields, [("a", "b")].into_iter().collect());
}

#[test]
fn headers_that_cannot_carry_a_claim_are_refused() {
    let make = |names: &[(&str, &str)]| {
        let names = names.iter().map(|&(c, n)| (c.to_owned(), n.to_owned())).collect();
        let provider = Arc::new(JwtProvider::new(&spec()).unwrap());
        JwtFilter::new(vec![provider], false, &names, false).unwrap_err().to_string()
    };
    assert!(make(&[("sub", "host")]).contains("it is the authority"));
    assert!(make(&[("sub", "Authorization")]).contains("it carries the token itself"));
    assert!(make(&[("sub", "a b")]).contains("is not a header name"));
    assert!(make(&[("a", "x-user"), ("b", "X_User")]).contains("is given to two claims"));
}

#[test]
fn the_challenge_says_what_the_failure_says() {
    for &reason in Reason::ALL {
        let challenge = bearer_challenge(reason.detail());
        if reason == Reason::Missing {
            assert_eq!(challenge, "Bearer");
        } else {
            let detail = reason.detail();
            assert!(challenge.contains(&format!("error_description=\"{detail}\"")), "{challenge}");
            assert!(challenge.starts_with("Bearer error=\"invalid_"), "{challenge}");
        }
    }
    assert_eq!(bearer_challenge("something else"), "Bearer");
}
