use serde_json::json;

use super::super::{JwtAlgorithm, JwtProviderSpec, KeyMaterial};
use super::*;

fn provider(cache_size: usize) -> Arc<JwtProvider> {
    let spec = JwtProviderSpec {
        name: "ours".to_owned(),
        issuer: None,
        audiences: Vec::new(),
        algorithms: vec![JwtAlgorithm::Hs256],
        keys: KeyMaterial::Secret(vec![1; 32]),
        skew_s: 0,
        cache_size,
    };
    Arc::new(JwtProvider::new(&spec).unwrap())
}

fn claims() -> Arc<ClaimHeaders> {
    Arc::new(ClaimHeaders::new(&[("sub".to_owned(), "x-user".to_owned())].into()).unwrap())
}

fn verified(claims: &ClaimHeaders, user: &str) -> Verified {
    let all = json!({"sub": user, "exp": 1});
    let all = all.as_object().unwrap();
    Verified { times: Times::of(all).unwrap(), headers: claims.render(all) }
}

fn insert(cache: &mut JwtCache, provider: &Arc<JwtProvider>, hash: u64, token: &str) {
    let claims = claims();
    let verified = verified(&claims, token);
    cache.insert(provider, hash, token.as_bytes().into(), &claims, verified);
}

/// The user that the cache takes the bearer of the token for.
fn user(cache: &mut JwtCache, provider: &JwtProvider, hash: u64, token: &str) -> Option<String> {
    let verified = cache.get(provider, hash, token.as_bytes(), &claims())?;
    Some(String::from_utf8(verified.headers[0].1.to_vec()).unwrap())
}

#[test]
fn the_whole_token_decides_and_not_its_hash() {
    let (mut cache, provider) = (JwtCache::default(), provider(10));
    insert(&mut cache, &provider, 7, "alice");
    assert_eq!(user(&mut cache, &provider, 7, "alice").as_deref(), Some("alice"));
    for other in ["alicf", "alic", "alice2", ""] {
        assert_eq!(user(&mut cache, &provider, 7, other), None);
    }
    insert(&mut cache, &provider, 7, "bob");
    assert_eq!(cache.len(), 1, "one hash, one entry");
    assert_eq!(user(&mut cache, &provider, 7, "alice"), None);
    assert_eq!(user(&mut cache, &provider, 7, "bob").as_deref(), Some("bob"));
}

#[test]
fn a_provider_sees_only_its_own() {
    let (mut cache, one, two) = (JwtCache::default(), provider(10), provider(10));
    insert(&mut cache, &one, 7, "alice");
    assert_eq!(user(&mut cache, &two, 7, "alice"), None);
    insert(&mut cache, &two, 7, "alice");
    assert_eq!(cache.len(), 2);
    drop(one);
    let three = provider(10);
    insert(&mut cache, &three, 8, "carol");
    assert_eq!(cache.len(), 2, "the first provider's entry left with it");
    assert_eq!(user(&mut cache, &two, 7, "alice").as_deref(), Some("alice"));
}

#[test]
fn what_is_used_stays_and_the_index_follows() {
    let (mut cache, provider) = (JwtCache::default(), provider(4));
    for turn in 0..1000_u64 {
        insert(&mut cache, &provider, turn, &format!("user {turn}"));
        assert!(cache.len() <= 4);
        let favourite = user(&mut cache, &provider, 0, "user 0");
        assert_eq!(favourite.as_deref(), Some("user 0"), "turn {turn}");
        let table = &cache.tables[0];
        assert!(table.index.contains_key(&turn), "turn {turn}");
        assert_eq!(table.index.len(), table.slots.iter().flatten().count());
        for (slot, entry) in table.slots.iter().enumerate() {
            let Some(entry) = entry else { continue };
            assert_eq!(table.index[&entry.hash] as usize, slot);
        }
    }
}

#[test]
fn what_came_last_outlives_what_is_no_longer_used() {
    let (mut cache, provider) = (JwtCache::default(), provider(8));
    for turn in 0..100_u64 {
        insert(&mut cache, &provider, turn, &format!("user {turn}"));
        for recent in turn.saturating_sub(6)..=turn {
            assert!(cache.tables[0].index.contains_key(&recent), "{recent} in turn {turn}");
        }
    }
}

#[test]
fn bytes_are_bounded_over_all_providers() {
    let mut cache = JwtCache::with_bytes_max(10_000);
    let providers = [provider(1000), provider(1000), provider(3)];
    for turn in 0..500_u64 {
        let provider = &providers[turn as usize % 3];
        insert(&mut cache, provider, turn, &"t".repeat(1 + turn as usize * 7 % 900));
        assert!(cache.bytes() <= 10_000);
        let counted: usize = cache.tables.iter().map(Table::bytes).sum();
        assert_eq!(cache.bytes(), counted);
    }
    assert!(cache.len() > 3);
    let (before, huge) = (cache.len(), "t".repeat(10_000));
    insert(&mut cache, &providers[0], 9999, &huge);
    assert_eq!(cache.len(), before, "larger than all of the cache: not kept, nothing lost");
}
