use super::*;
use crate::chain::tests::Exchange;

#[track_caller]
fn check(path: PathRewrite, matched: Option<usize>, target: &str, expect: &str) {
    let rewrite = Rewrite::new(&RewriteSpec { hostname: None, path: Some(path) }).unwrap();
    let mut exchange = Exchange::new("a.test", target);
    exchange.matched_prefix_len = matched;
    assert!(matches!(exchange.run(&rewrite).unwrap(), Flow::Continue));
    assert_eq!(String::from_utf8_lossy(exchange.request.target()), expect);
    assert_eq!(exchange.request.authority(), b"a.test");
}

/// `prefix` is what the route matched; the table is that of the Gateway API's `HTTPPathModifier`.
#[track_caller]
fn check_prefix(target: &str, prefix: &str, replacement: &str, expect: &str) {
    check(PathRewrite::Prefix(replacement.to_owned()), Some(prefix.len()), target, expect);
}

#[test]
fn a_prefix_is_replaced_as_the_gateway_api_says() {
    check_prefix("/foo/bar", "/foo", "/xyz", "/xyz/bar");
    check_prefix("/foo/bar", "/foo", "/xyz/", "/xyz/bar");
    check_prefix("/foo/bar", "/foo/", "/xyz", "/xyz/bar");
    check_prefix("/foo/bar", "/foo/", "/xyz/", "/xyz/bar");
    check_prefix("/foo", "/foo", "/xyz", "/xyz");
    check_prefix("/foo/", "/foo", "/xyz", "/xyz/");
    check_prefix("/foo/bar", "/foo", "", "/bar");
    check_prefix("/foo/", "/foo", "", "/");
    check_prefix("/foo", "/foo", "", "/");
    check_prefix("/foo/", "/foo", "/", "/");
    check_prefix("/foo", "/foo", "/", "/");
    check_prefix("/foo/", "/foo/", "/xyz", "/xyz/");
    check_prefix("/a", "/", "/xyz", "/xyz/a");
}

#[test]
fn query_and_double_slashes_survive() {
    check_prefix("/foo/bar?x=/foo", "/foo", "/xyz", "/xyz/bar?x=/foo");
    check_prefix("/foo//bar", "/foo", "/xyz", "/xyz//bar");
    check_prefix("/foo?", "/foo", "/xyz", "/xyz?");
}

#[test]
fn without_a_matched_prefix_the_path_stays() {
    check(PathRewrite::Prefix("/x".to_owned()), None, "/foo?q", "/foo?q");
    check(PathRewrite::Prefix("/x".to_owned()), Some(99), "/foo?q", "/foo?q");
}

#[test]
fn a_full_path_replaces_all_but_the_query() {
    check(PathRewrite::Full("/new".to_owned()), None, "/old/path?q=1", "/new?q=1");
    check(PathRewrite::Full("/new?r=2".to_owned()), None, "/old?q=1", "/new?r=2");
}

#[test]
fn the_authority_is_replaced() {
    let spec = RewriteSpec { hostname: Some("b.test:81".to_owned()), path: None };
    let mut exchange = Exchange::new("a.test", "/x?y");
    exchange.run(&Rewrite::new(&spec).unwrap()).unwrap();
    assert_eq!(exchange.request.authority(), b"b.test:81");
    assert_eq!(exchange.request.target(), b"/x?y");
}

#[test]
fn unusable_specs_are_refused() {
    let with = |path| RewriteSpec { hostname: None, path: Some(path) };
    for bad in [
        with(PathRewrite::Full("x".to_owned())),
        with(PathRewrite::Full(String::new())),
        with(PathRewrite::Prefix("/a?b".to_owned())),
        with(PathRewrite::Prefix("/a b".to_owned())),
        RewriteSpec { hostname: Some("a/b".to_owned()), path: None },
    ] {
        assert!(Rewrite::new(&bad).is_err(), "{bad:?}");
    }
}
