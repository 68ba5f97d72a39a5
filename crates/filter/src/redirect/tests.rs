use bulkhead_message::Scheme;

use super::*;
use crate::chain::tests::Exchange;

fn spec() -> RedirectSpec {
    RedirectSpec { scheme: None, hostname: None, port: None, path: None, status: 302 }
}

#[track_caller]
fn check(spec: &RedirectSpec, authority: &str, target: &str, expect: &str) {
    let response = Exchange::new(authority, target).respond(&Redirect::new(spec).unwrap());
    assert_eq!(response.head.status, spec.status);
    let location = response.head.fields.get(Known::Location).unwrap();
    assert_eq!(String::from_utf8_lossy(location), expect);
    assert!(response.body.is_empty());
}

#[test]
fn parts_not_given_are_the_requests() {
    let s = |text: &str| Some(text.to_owned());
    check(&spec(), "a.test", "/x?y=1", "http://a.test/x?y=1");
    check(
        &RedirectSpec { scheme: s("https"), status: 301, ..spec() },
        "a.test:8080",
        "/x",
        "https://a.test/x",
    );
    check(
        &RedirectSpec { hostname: s("b.test"), status: 308, ..spec() },
        "a.test",
        "/x",
        "http://b.test/x",
    );
    check(&RedirectSpec { port: Some(8443), ..spec() }, "a.test:80", "/", "http://a.test:8443/");
    check(&RedirectSpec { port: Some(80), ..spec() }, "a.test:81", "/", "http://a.test/");
    check(&RedirectSpec { port: Some(443), scheme: s("https"), ..spec() }, "a", "/", "https://a/");
    check(
        &RedirectSpec { port: Some(80), scheme: s("https"), ..spec() },
        "a",
        "/",
        "https://a:80/",
    );
    check(&RedirectSpec { path: s("/new"), ..spec() }, "a", "/old?q", "http://a/new?q");
    check(&RedirectSpec { path: s("/new?r"), ..spec() }, "a", "/old?q", "http://a/new?r");
    check(&spec(), "[::1]:8080", "/", "http://[::1]/");
    check(&spec(), "[::1]", "/", "http://[::1]/");
    check(&spec(), "a", "*", "http://a/");
}

#[test]
fn the_requests_own_scheme_is_kept() {
    let mut exchange = Exchange::new("a", "/");
    exchange.request.scheme = Scheme::Https;
    let response = exchange.respond(&Redirect::new(&spec()).unwrap());
    assert_eq!(response.head.fields.get(Known::Location), Some(&b"https://a/"[..]));
}

#[test]
fn nobody_is_sent_to_a_host_of_the_clients_choice() {
    check(&spec(), "", "//evil.test/x", "/evil.test/x");
    check(&spec(), "", "///evil.test", "/evil.test");
    check(&spec(), "", "/x?a=//b", "/x?a=//b");
    check(&spec(), "a.test", "//evil.test/x", "http://a.test//evil.test/x");
    for authority in ["user@evil.test", "a/b", "a\\b"] {
        let failure = Exchange::new(authority, "/").run(&Redirect::new(&spec()).unwrap());
        assert_eq!(failure.unwrap_err().kind, FailureKind::BadRequest);
    }
}

#[test]
fn unusable_specs_are_refused() {
    let s = |text: &str| Some(text.to_owned());
    for (bad, expect) in [
        (RedirectSpec { status: 200, ..spec() }, "use 301"),
        (RedirectSpec { status: 304, ..spec() }, "use 301"),
        (RedirectSpec { scheme: s("ftp"), ..spec() }, "`ftp` is not a scheme"),
        (RedirectSpec { hostname: s("a b"), ..spec() }, "`a b` is not a host"),
        (RedirectSpec { hostname: s(""), ..spec() }, "is not a host"),
        (RedirectSpec { path: s("x"), ..spec() }, "`x` is not a path"),
        (RedirectSpec { path: s("/x\r\n"), ..spec() }, "is not a path"),
    ] {
        let text = Redirect::new(&bad).unwrap_err().to_string();
        assert!(text.contains(expect), "{text}");
    }
}
