//! Conditions on method, headers and query.

use bulkhead_message::RequestHead;

use super::Conditions;
use crate::error::CompileErrorKind;
use crate::pattern::PatternsBuilder;
use crate::spec::{MatchSpec, TextSpec, ValueSpec};

/// `name`: present; `name=text`: exact; `name~pattern`: pattern.
fn condition(text: &str) -> ValueSpec {
    let (name, value) = match text.find(['=', '~']) {
        None => (text, TextSpec::Present),
        Some(at) if text.as_bytes()[at] == b'=' => {
            (&text[..at], TextSpec::Exact(text[at + 1..].to_owned()))
        }
        Some(at) => (&text[..at], TextSpec::Regex(text[at + 1..].to_owned())),
    };
    ValueSpec { name: name.to_owned(), value }
}

#[track_caller]
fn check(spec: MatchSpec, head: &RequestHead, expect: bool) {
    let mut patterns = PatternsBuilder::default();
    let conditions = Conditions::compile(&spec, &mut patterns).unwrap();
    assert_eq!(conditions.hold(head, &patterns.finish()), expect, "{spec:?}");
}

#[test]
fn methods() {
    for (wanted, given, expect) in [
        (Some("GET"), "GET", true),
        (Some("GET"), "get", false),
        (Some("GET"), "POST", false),
        (Some("PURGE"), "PURGE", true),
        (Some("PURGE"), "PROPFIND", false),
        (None, "PURGE", true),
    ] {
        let mut head = RequestHead::new();
        head.set_method(given.as_bytes());
        let method = wanted.map(str::to_owned);
        check(MatchSpec { method, ..MatchSpec::default() }, &head, expect);
    }
}

#[test]
fn headers() {
    let mut head = RequestHead::new();
    head.set_authority(b"example.com");
    head.fields.push(b"accept", b"text/html");
    head.fields.push(b"x-tenant", b"blue");
    head.fields.push(b"x-tenant", b"green");
    head.fields.push(b"x-empty", b"");
    for (conditions, expect) in [
        (&["accept=text/html"][..], true),
        (&["Accept=text/html"], true),
        (&["accept=text/htm"], false),
        (&["accept~text/.*"], true),
        (&["accept~text"], false),
        (&["accept"], true),
        (&["x-tenant=green"], true),
        (&["X-Tenant~gr.+"], true),
        (&["x-tenant=red"], false),
        (&["x-empty"], true),
        (&["x-empty="], true),
        (&["x-none"], false),
        (&["authorization"], false),
        (&["host=example.com"], true),
        (&["host=example.org"], false),
        (&["accept", "x-tenant=blue"], true),
        (&["accept", "x-tenant=red"], false),
    ] {
        let headers = conditions.iter().map(|text| condition(text)).collect();
        check(MatchSpec { headers, ..MatchSpec::default() }, &head, expect);
    }
}

#[test]
fn query() {
    for (target, conditions, expect) in [
        ("/a?x=1&y=2", &["x=1"][..], true),
        ("/a?x=1&y=2", &["y=2", "x"], true),
        ("/a?x=1&y=2", &["y=2", "z"], false),
        ("/a?x=1&x=2", &["x=2"], false),
        ("/a?x=1&x=2", &["x=1"], true),
        ("/a?xy=1", &["x"], false),
        ("/a?xy=1&x=3", &["x=3"], true),
        ("/a?x", &["x"], true),
        ("/a?x", &["x="], true),
        ("/a?x=%31", &["x=1"], false),
        ("/a?x=17", &[r"x~\d+"], true),
        ("/a?x=17b", &[r"x~\d+"], false),
        ("/a?x=1=2", &["x=1=2"], true),
        ("/a", &["x"], false),
        ("/a?", &["x"], false),
        ("/a?&&x=1", &["x=1"], true),
    ] {
        let mut head = RequestHead::new();
        head.set_target(target.as_bytes());
        let query = conditions.iter().map(|text| condition(text)).collect();
        check(MatchSpec { query, ..MatchSpec::default() }, &head, expect);
    }
}

#[test]
fn wrong_conditions() {
    let compile = |spec: &MatchSpec| {
        Conditions::compile(spec, &mut PatternsBuilder::default()).map(drop).unwrap_err()
    };
    let method = MatchSpec { method: Some("G T".into()), ..MatchSpec::default() };
    assert_eq!(compile(&method), CompileErrorKind::Method("G T".into()));
    let headers = MatchSpec { headers: vec![condition("a b=1")], ..MatchSpec::default() };
    assert_eq!(compile(&headers), CompileErrorKind::HeaderName("a b".into()));
    let query = MatchSpec { query: vec![condition("a~(")], ..MatchSpec::default() };
    assert!(matches!(compile(&query), CompileErrorKind::Pattern { .. }));
}
