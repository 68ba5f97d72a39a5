//! Which part of a request is hashed, and what a cookie looks like.

use std::time::Duration;

use super::*;

fn head(target: &str, fields: &[(&str, &str)]) -> RequestHead {
    let mut head = RequestHead::new();
    head.set_target(target.as_bytes());
    for (name, value) in fields {
        match *name {
            "cookie" => head.fields.push_known(Known::Cookie, value.as_bytes()),
            _ => head.fields.push(name.as_bytes(), value.as_bytes()),
        }
    }
    head
}

fn cookie(name: &str, ttl: Option<u64>, path: &str) -> AffinityCookie {
    let ttl = ttl.map(Duration::from_secs);
    AffinityCookie { name: name.to_owned(), ttl, path: path.to_owned() }
}

fn sources() -> [HashSource; 4] {
    [
        HashSource::Header("x-user".to_owned()),
        HashSource::QueryParam("user".to_owned()),
        HashSource::Cookie(cookie("sid", None, "/")),
        HashSource::SourceIp,
    ]
}

#[test]
fn the_first_source_that_is_there_is_hashed() {
    for (target, fields, hashed) in [
        ("/", &[("x-user", "ada"), ("cookie", "sid=s1")][..], "ada"),
        ("/?user=bob", &[("cookie", "sid=s1")], "bob"),
        ("/?a=1&user=bob&user=eve", &[], "bob"),
        ("/?superuser=root", &[("cookie", "sid=s1")], "s1"),
        ("/", &[("cookie", "a=b; sid=s1; sid=s2")], "s1"),
        ("/", &[("cookie", "xsid=no;sid=s1")], "s1"),
        ("/", &[("cookie", "a=b"), ("cookie", "sid=s1")], "s1"),
        ("/?user=", &[], ""),
    ] {
        let found = Affinity::of(&sources(), &head(target, fields), None, &mut Rng::new(1));
        let expected = Affinity { hash: Some(stable_hash(hashed.as_bytes())), cookie: None };
        assert_eq!(found, expected, "{target} {fields:?}");
    }
}

#[test]
fn a_new_cookie_leads_where_it_leads_when_it_comes_back() {
    let mut rng = Rng::new(1);
    for fields in [&[][..], &[("cookie", "sid=")], &[("cookie", "other=1")]] {
        let made = Affinity::of(&sources(), &head("/", fields), None, &mut rng);
        let value = format!("sid={}", cookie_text(made.cookie.unwrap()));
        let back = head("/", &[("cookie", &value)]);
        let found = Affinity::of(&sources(), &back, None, &mut rng);
        assert_eq!(found, Affinity { hash: made.hash, cookie: None });
    }
}

#[test]
fn addresses_are_the_same_over_both_families_and_nothing_is_no_hash() {
    let mut rng = Rng::new(1);
    let mut of = |client: Option<&str>| {
        let client = client.map(|text| text.parse().unwrap());
        Affinity::of(&[HashSource::SourceIp], &head("/", &[]), client, &mut rng).hash
    };
    assert_eq!(of(Some("10.0.0.1")), of(Some("::ffff:10.0.0.1")));
    assert_ne!(of(Some("10.0.0.1")), of(Some("10.0.0.2")));
    assert_ne!(of(Some("2001:db8::1")), of(Some("2001:db8::2")));
    assert_eq!(of(None), None);
}

#[test]
fn cookies_have_their_attributes() {
    for (cookie, secure, expected) in [
        (cookie("a", None, "/"), false, "a=00000000000000ff; Path=/; HttpOnly; SameSite=Lax"),
        (
            cookie("b", Some(3_600), "/app"),
            true,
            "b=00000000000000ff; Path=/app; Max-Age=3600; HttpOnly; SameSite=Lax; Secure",
        ),
    ] {
        assert_eq!(set_cookie_value(&cookie, 255, secure), expected);
    }
}
