use std::time::{Duration, Instant};

use super::*;

fn rotation(provider: Option<&str>) -> Vec<Arc<KeyRotation>> {
    let deadline = Instant::now() + Duration::from_secs(3_600);
    vec![Arc::new(KeyRotation::new(provider.map(str::to_owned), deadline))]
}

/// What the filter says of a good token, with the caches of one worker.
fn send(
    filter: &JwtFilter,
    caches: &mut Caches,
    rotations: &[Arc<KeyRotation>],
) -> Result<(), &'static str> {
    let mut exchange = exchange(&[&format!("Bearer {}", hs256(&good_claims()))]);
    exchange.key_rotations = rotations.to_vec();
    std::mem::swap(&mut exchange.caches, caches);
    let flow = exchange.run(filter);
    std::mem::swap(&mut exchange.caches, caches);
    flow.map(|_| ()).map_err(|failure| failure.detail)
}

#[test]
fn tokens_of_the_old_keys_are_refused_until_they_are_back() {
    let (filter, mut caches) = (filter(&spec(), &[]), Caches::new());
    assert_eq!(send(&filter, &mut caches, &[]), Ok(()));
    let rotations = rotation(Some("ours"));
    // The token is remembered, and counts for nothing all the same.
    assert_eq!(send(&filter, &mut caches, &rotations), Err(Reason::Signature.detail()));
    assert!(rotations[0].hits() > 0);
    assert_eq!(send(&filter, &mut caches, &rotation(None)), Err(Reason::Signature.detail()));
    assert_eq!(send(&filter, &mut caches, &rotation(Some("other"))), Ok(()));
    rotations[0].end();
    assert_eq!(send(&filter, &mut caches, &rotations), Ok(()));
}

#[test]
fn a_rotation_ends_with_its_time() {
    let (filter, mut caches) = (filter(&spec(), &[]), Caches::new());
    let rotations = rotation(None);
    let now = Instant::now();
    rotations[0].look(now);
    assert!(send(&filter, &mut caches, &rotations).is_err());
    rotations[0].look(now + Duration::from_secs(7_200));
    assert_eq!(send(&filter, &mut caches, &rotations), Ok(()));
}

#[test]
fn new_keys_have_new_ids() {
    use base64::Engine;
    let k = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(SECRET);
    let jwks = format!(r#"{{"keys":[{{"kty":"oct","kid":"one","k":"{k}"}}]}}"#);
    let filter = filter(&JwtProviderSpec { keys: KeyMaterial::Jwks(jwks), ..spec() }, &[]);
    let told = |key_id| {
        let token = sign(JwtAlgorithm::Hs256, key_id, &good_claims());
        let mut exchange = exchange(&[&format!("Bearer {token}")]);
        exchange.key_rotations = rotation(None);
        exchange.run(&filter).map(|_| ()).map_err(|failure| failure.detail)
    };
    assert_eq!(told(Some("one")), Err(Reason::UnknownKey.detail()));
    assert_eq!(told(None), Err(Reason::Signature.detail()));
}
