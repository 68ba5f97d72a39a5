use std::fs;

use bulkhead_testkit::Scratch;
use serde_json::Value;

#[test]
fn the_token_is_of_the_key_that_is_given_away() {
    let scratch = Scratch::new();
    super::write(scratch.path()).unwrap();
    let read = |name| fs::read_to_string(scratch.path().join(name)).unwrap();
    let jwks: Value = serde_json::from_str(&read("jwks.json")).unwrap();
    let key = &jwks["keys"][0];
    assert_eq!(
        (&key["kty"], &key["alg"], &key["kid"]),
        (&"RSA".into(), &"RS256".into(), &"bench".into())
    );
    assert!(read("public.pem").starts_with("-----BEGIN PUBLIC KEY-----"));
    let token = read("token");
    // 2,048 bits of signature.
    assert_eq!(token.split('.').map(str::len).collect::<Vec<_>>()[2], 342);
}
