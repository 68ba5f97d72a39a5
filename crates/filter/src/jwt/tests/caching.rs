use super::*;

/// Sends a token through a filter with the caches of one worker; what the filter says.
fn send(
    filter: &JwtFilter,
    caches: &mut Caches,
    token: &str,
    now_s: u64,
) -> Result<(), &'static str> {
    let mut exchange = exchange(&[&format!("Bearer {token}")]);
    exchange.now_unix_s = now_s;
    std::mem::swap(&mut exchange.caches, caches);
    let flow = exchange.run(filter);
    std::mem::swap(&mut exchange.caches, caches);
    flow.map(|_| ()).map_err(|failure| failure.detail)
}

#[track_caller]
fn check_counts(caches: &Caches, hits: u64, misses: u64, entries: usize) {
    let jwt = &caches.jwt;
    assert_eq!((jwt.hits(), jwt.misses(), jwt.len()), (hits, misses, entries));
}

#[test]
fn the_times_are_checked_on_every_hit() {
    let filter = filter(&JwtProviderSpec { skew_s: 10, ..spec() }, &[]);
    let mut caches = Caches::new();
    let claims = json!({"iss": "issuer", "aud": "us", "exp": NOW + 100, "nbf": NOW});
    let token = hs256(&claims);
    assert_eq!(send(&filter, &mut caches, &token, NOW), Ok(()));
    assert_eq!(send(&filter, &mut caches, &token, NOW + 109), Ok(()));
    let expired = Err(Reason::Expired.detail());
    assert_eq!(send(&filter, &mut caches, &token, NOW + 110), expired);
    // The clock was set back.
    assert_eq!(send(&filter, &mut caches, &token, NOW - 10), Ok(()));
    let early = Err(Reason::NotYetValid.detail());
    assert_eq!(send(&filter, &mut caches, &token, NOW - 11), early);
    check_counts(&caches, 4, 1, 1);
}

#[test]
fn only_verified_tokens_enter() {
    let filter = filter(&spec(), &[]);
    let mut caches = Caches::new();
    let token = hs256(&good_claims());
    let mut tampered = token.clone();
    let last = if tampered.pop() == Some('A') { 'E' } else { 'A' };
    tampered.push(last);
    let bad = [
        tampered.as_str(),
        &hs256(&json!({"iss": "issuer", "aud": "us", "exp": NOW})),
        &hs256(&json!({"iss": "issuer", "aud": "x", "exp": NOW + 1})),
        "a.b.c",
    ];
    for token in bad {
        assert!(send(&filter, &mut caches, token, NOW).is_err());
    }
    check_counts(&caches, 0, 4, 0);
    assert_eq!(send(&filter, &mut caches, &token, NOW), Ok(()));
    // Its neighbour differs in the last character alone.
    let wrong = send(&filter, &mut caches, &tampered, NOW);
    assert!(wrong.is_err(), "a tampered token passed");
    assert_eq!(send(&filter, &mut caches, &token, NOW), Ok(()));
    check_counts(&caches, 1, 6, 1);
}

#[test]
fn other_keys_or_rules_believe_nothing_of_the_former() {
    let mut caches = Caches::new();
    let token = hs256(&good_claims());
    let before = filter(&spec(), &[]);
    assert_eq!(send(&before, &mut caches, &token, NOW), Ok(()));
    let keys = KeyMaterial::Secret(vec![7; 64]);
    let after = filter(&JwtProviderSpec { keys, ..spec() }, &[]);
    let refused = Err(Reason::Signature.detail());
    assert_eq!(send(&after, &mut caches, &token, NOW), refused);
    let audiences = vec!["else".to_owned()];
    let stricter = filter(&JwtProviderSpec { audiences, ..spec() }, &[]);
    assert_eq!(send(&stricter, &mut caches, &token, NOW), Err(Reason::Audience.detail()));
    // The former goes on while exchanges use it, and leaves with it.
    assert_eq!(send(&before, &mut caches, &token, NOW), Ok(()));
    check_counts(&caches, 1, 3, 1);
    drop(before);
    let same = filter(&spec(), &[]);
    assert_eq!(send(&same, &mut caches, &token, NOW), Ok(()));
    check_counts(&caches, 1, 4, 1);
}

#[test]
fn routes_that_share_a_provider_share_its_cache_but_not_each_others_headers() {
    let provider = Arc::new(JwtProvider::new(&spec()).unwrap());
    let filters = [&[("sub", "x-user")][..], &[("sub", "x-name"), ("aud", "x-aud")], &[]]
        .map(|names| filter_of(vec![Arc::clone(&provider)], names));
    let token = hs256(&good_claims());
    let mut caches = Caches::new();
    for _ in 0..2 {
        for (filter, expect) in filters.iter().zip([
            &[("x-user", "alice")][..],
            &[("x-aud", "us"), ("x-name", "alice")],
            &[],
        ]) {
            let mut exchange = exchange(&[&format!("Bearer {token}")]);
            std::mem::swap(&mut exchange.caches, &mut caches);
            exchange.run(filter).unwrap();
            std::mem::swap(&mut exchange.caches, &mut caches);
            assert_eq!(exchange.request.fields, expect.iter().copied().collect());
        }
    }
    check_counts(&caches, 3, 3, 3);
    let twin = filter_of(vec![provider], &[("sub", "x-user")]);
    assert_eq!(send(&twin, &mut caches, &token, NOW), Ok(()));
    check_counts(&caches, 4, 3, 3);
}

#[test]
fn a_cache_of_size_nought_is_off() {
    let filter = filter(&JwtProviderSpec { cache_size: 0, ..spec() }, &[]);
    let mut caches = Caches::new();
    let token = hs256(&good_claims());
    for _ in 0..3 {
        assert_eq!(send(&filter, &mut caches, &token, NOW), Ok(()));
    }
    check_counts(&caches, 0, 0, 0);
}

#[test]
fn the_size_bounds_the_entries() {
    let filter = filter(&JwtProviderSpec { cache_size: 10, ..spec() }, &[]);
    let mut caches = Caches::new();
    let token =
        |user: usize| hs256(&json!({"iss": "issuer", "aud": "us", "exp": NOW + 100, "sub": user}));
    for user in 0..50 {
        assert_eq!(send(&filter, &mut caches, &token(user), NOW), Ok(()));
        assert_eq!(caches.jwt.len(), (user + 1).min(10));
        // In use all the time: it stays.
        assert_eq!(send(&filter, &mut caches, &token(0), NOW), Ok(()));
    }
    check_counts(&caches, 50, 50, 10);
}

#[test]
fn a_cached_token_costs_no_allocation() {
    let filter = filter(&spec(), &[("sub", "x-user")]);
    let authorization = format!("Bearer {}", hs256(&good_claims()));
    let mut exchange = exchange(&[]);
    let mut run = || {
        exchange.request.clear();
        exchange.request.set_target(b"/");
        exchange.request.fields.push_known(Known::Authorization, authorization.as_bytes());
        exchange.request.fields.push(b"x-user", b"forged");
        exchange.run(&filter).unwrap();
    };
    run();
    run();
    let allocations = allocation_counter::measure(&mut run);
    assert_eq!(allocations.count_total, 0);
}
