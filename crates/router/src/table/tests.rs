//! Whole tables: precedence, parameters, errors, hostile paths.

mod oracle;

use bulkhead_message::RequestHead;

use super::RouteTable;
use crate::error::CompileErrorKind as Kind;
use crate::spec::{MatchSpec, PathSpec, RouteSpec, TextSpec, ValueSpec};

/// A route in a line: `[METHOD] [host=NAME] [h:name=value] [q:name=value] KIND PATH`, where KIND is
/// `exact`, `prefix`, `template` or `regex`.
fn route(line: &str) -> RouteSpec {
    let mut spec = RouteSpec::default();
    let mut matched = MatchSpec::default();
    let value = |text: &str| {
        let (name, value) = text.split_once('=').unwrap();
        ValueSpec { name: name.to_owned(), value: TextSpec::Exact(value.to_owned()) }
    };
    let mut words = line.split_whitespace();
    while let Some(word) = words.next() {
        let mut path = || words.next().unwrap().to_owned();
        match word {
            "exact" => matched.path = PathSpec::Exact(path()),
            "prefix" => matched.path = PathSpec::Prefix(path()),
            "template" => matched.path = PathSpec::Template(path()),
            "regex" => matched.path = PathSpec::Regex(path()),
            _ => match word.split_once([':', '=']) {
                Some(("host", name)) => spec.hostnames.push(name.to_owned()),
                Some(("h", text)) => matched.headers.push(value(text)),
                Some(("q", text)) => matched.query.push(value(text)),
                _ => matched.method = Some(word.to_owned()),
            },
        }
    }
    spec.matches.push(matched);
    spec
}

fn table(lines: &[&str]) -> RouteTable {
    let routes: Vec<_> = lines.iter().map(|line| route(line)).collect();
    RouteTable::compile(&routes).unwrap()
}

/// A head from `METHOD [host] TARGET [name=value …]`.
fn head(line: &str) -> RequestHead {
    let mut head = RequestHead::new();
    let mut words = line.split_whitespace();
    head.set_method(words.next().unwrap().as_bytes());
    let mut target = words.next().unwrap_or("");
    if !target.starts_with('/') && !target.starts_with('*') {
        head.set_authority(target.as_bytes());
        target = words.next().unwrap_or("");
    }
    head.set_target(target.as_bytes());
    for field in words {
        let (name, value) = field.split_once('=').unwrap();
        head.fields.push(name.as_bytes(), value.as_bytes());
    }
    head
}

/// Expects each request to find the line of this number.
#[track_caller]
fn check(lines: &[&str], requests: &[(&str, Option<u32>)]) {
    let table = table(lines);
    // The winner must not depend on the order in which routes are given, ties apart.
    for &(request, expect) in requests {
        let found = table.find(&head(request));
        assert_eq!(found.map(|found| found.route), expect, "{request} in {lines:#?}");
    }
}

#[test]
fn exact_paths() {
    check(
        &["exact /a", "exact /a/", "exact /", "exact *", "exact /%61"],
        &[
            ("GET /a", Some(0)),
            ("GET /a/", Some(1)),
            ("GET /", Some(2)),
            ("OPTIONS *", Some(3)),
            ("GET /%61", Some(4)),
            ("GET /a?x=y", Some(0)),
            ("GET /A", None),
            ("GET /a//", None),
            ("GET //a", None),
            ("GET", None),
        ],
    );
}

#[test]
fn prefixes_match_whole_segments() {
    check(
        &["prefix /a", "prefix /a/b/", "prefix /c/"],
        &[
            ("GET /a", Some(0)),
            ("GET /a/", Some(0)),
            ("GET /a/x", Some(0)),
            ("GET /a/b", Some(1)),
            ("GET /a/b/c", Some(1)),
            ("GET /a/bc", Some(0)),
            ("GET /ab", None),
            ("GET /c", Some(2)),
            ("GET //a", None),
            ("GET /", None),
        ],
    );
    check(
        &["prefix /"],
        &[("GET /", Some(0)), ("GET /x/y", Some(0)), ("OPTIONS *", Some(0)), ("CONNECT", Some(0))],
    );
}

#[test]
fn templates() {
    check(
        &[
            r"template /v1/users/{id:\d+}",
            "template /v1/users/{name}",
            "template /v1/users/me",
            "template /v1/{kind}/{id}/feed",
            "template /files/{path*}",
        ],
        &[
            ("GET /v1/users/17", Some(0)),
            ("GET /v1/users/anna", Some(1)),
            ("GET /v1/users/me", Some(2)),
            ("GET /v1/users/", None),
            ("GET /v1/users/17/", None),
            ("GET /v1/users/17/feed", Some(3)),
            ("GET /v1//17/feed", None),
            ("GET /files/", Some(4)),
            ("GET /files/a/b/", Some(4)),
            ("GET /files", None),
        ],
    );
}

#[test]
fn paths_rank_by_kind_then_length() {
    check(
        &["prefix /a/b", "regex /a/b.*", "template /a/{x}", "exact /a/b", "prefix /a"],
        &[
            ("GET /a/b", Some(3)),
            ("GET /a/c", Some(2)),
            ("GET /a/b/c", Some(1)),
            ("GET /a/c/d", Some(4)),
        ],
    );
    check(
        &["template /{x}/bb", "template /a/{y}", "template /aaaa/{y}", "template /{x}/{y}"],
        &[
            ("GET /a/bb", Some(0)),
            ("GET /a/c", Some(1)),
            ("GET /aaaa/bb", Some(2)),
            ("GET /x/y", Some(3)),
        ],
    );
    check(
        &["template /a/{rest*}", "prefix /a/b", "template /{x}/{rest*}", "prefix /a", "prefix /"],
        &[
            ("GET /a/b/c", Some(1)),
            ("GET /a/c", Some(0)),
            ("GET /a", Some(3)),
            ("GET /b/c", Some(2)),
            ("GET /b", Some(4)),
        ],
    );
    check(
        &["regex /a.*", r"regex /a\w*", "regex /(a|b)+"],
        &[("GET /aa", Some(2)), ("GET /ac", Some(1)), ("GET /a/c", Some(0)), ("GET /c", None)],
    );
}

#[test]
fn conditions_rank_after_the_path() {
    check(
        &[
            "prefix /a",
            "q:x=1 prefix /a",
            "h:x=1 prefix /a",
            "h:x=1 h:y=1 prefix /a",
            "h:x=1 q:x=1 prefix /a",
            "GET prefix /a",
            "h:x=1 h:y=1 q:x=1 prefix /",
            "POST h:x=1 prefix /a",
        ],
        &[
            ("GET /a", Some(5)),
            ("GET /a?x=1 x=1 y=1", Some(5)),
            ("PUT /a", Some(0)),
            ("PUT /a?x=1", Some(1)),
            ("PUT /a x=1", Some(2)),
            ("PUT /a?x=1 x=1", Some(4)),
            ("PUT /a?x=1 x=1 y=1", Some(3)),
            ("POST /a x=1", Some(7)),
            ("POST /a", Some(0)),
            ("PUT /b?x=1 x=1 y=1", Some(6)),
            ("PUT /b", None),
        ],
    );
}

#[test]
fn an_unmet_condition_falls_through_to_the_next_best() {
    check(
        &[
            "POST exact /a/b",
            "POST template /a/{x}",
            "POST regex /a/b",
            "prefix /a",
            "POST prefix /a/b",
        ],
        &[("GET /a/b", Some(3)), ("POST /a/b", Some(0)), ("POST /a/c", Some(1))],
    );
}

#[test]
fn hosts_rank_before_everything() {
    check(
        &[
            "exact /a",
            "host=*.example.com GET exact /a",
            "host=www.example.com prefix /a",
            "host=*.www.example.com prefix /",
            "host=other.com host=*.other.com prefix /",
        ],
        &[
            ("GET www.example.com /a", Some(2)),
            ("GET WWW.EXAMPLE.COM:8080 /a/b", Some(2)),
            ("GET x.example.com /a", Some(1)),
            ("PUT x.example.com /a", Some(0)),
            ("GET a.www.example.com /a", Some(3)),
            ("GET example.com /a", Some(0)),
            ("GET /a", Some(0)),
            ("GET www.example.com /b", None),
            ("GET other.com /x", Some(4)),
            ("GET a.b.other.com /x", Some(4)),
            ("GET another.com /x", None),
        ],
    );
}

#[test]
fn ties_go_to_the_earlier_route_and_match() {
    check(&["prefix /a", "prefix /a/"], &[("GET /a", Some(0))]);
    check(&["template /{x}", "template /{y}"], &[("GET /a", Some(0))]);
    let mut spec = route("prefix /b");
    spec.matches.push(route("prefix /a").matches.remove(0));
    spec.matches.push(route("prefix /a").matches.remove(0));
    let table = RouteTable::compile(&[route("prefix /x"), spec]).unwrap();
    let found = table.find(&head("GET /a")).unwrap();
    assert_eq!((found.route, found.matched), (1, 1));
}

#[test]
fn parameters_are_located_in_the_path() {
    let table = table(&[
        r"template /v1/{user:\w+}/orders/{order}",
        "template /files/{bucket}/{path*}",
        "template /all/{path*}",
        "prefix /plain",
    ]);
    for (request, expect) in [
        ("GET /v1/anna/orders/17?x=/y/z", &[("user", "anna"), ("order", "17")][..]),
        ("GET /files/b/a/b/c", &[("bucket", "b"), ("path", "a/b/c")]),
        ("GET /files/b/", &[("bucket", "b"), ("path", "")]),
        ("GET /all//x//", &[("path", "/x//")]),
        ("GET /plain/x", &[]),
    ] {
        let head = head(request);
        let found = table.find(&head).unwrap();
        let got: Vec<_> = table
            .parameters(&found, head.path())
            .map(|(name, value)| (name, std::str::from_utf8(value).unwrap()))
            .collect();
        assert_eq!(got, expect, "{request}");
    }
}

#[test]
fn errors_say_where() {
    for (lines, place, kind) in [
        (&["prefix /a", "prefix a"][..], (1, Some(0)), Kind::Path("a".into())),
        (&["exact /a?b"], (0, Some(0)), Kind::Path("/a?b".into())),
        (&["template /{a"], (0, Some(0)), Kind::Segment("{a".into())),
        (&["host=a:80 prefix /"], (0, None), Kind::Hostname("a:80".into())),
        (&["prefix /", "h:x/y=1 prefix /"], (1, Some(0)), Kind::HeaderName("x/y".into())),
    ] {
        let routes: Vec<_> = lines.iter().map(|line| route(line)).collect();
        let error = RouteTable::compile(&routes).unwrap_err();
        assert_eq!(((error.route, error.match_index), error.kind), (place, kind), "{lines:?}");
    }
    let error = RouteTable::compile(&[route("template /a/{id:(}")]).unwrap_err();
    assert_eq!(error.to_string(), "pattern `(`: unclosed group");
}

#[test]
fn hostile_paths_find_their_way_out() {
    // Every node has a literal, a pattern and a parameter child that all match, ten levels deep: one
    // search may visit the 3^10 nodes below, and no more, however long the path is.
    let mut lines = Vec::new();
    for number in 0..59_049u32 {
        let mut rest = number;
        let path: String = (0..10)
            .map(|_| {
                let choice = rest % 3;
                rest /= 3;
                ["/a", "/{PATTERN}", "/{NAME}"][choice as usize]
            })
            .collect();
        if number % 27 == 0 {
            let mut names = 0;
            let mut named = String::new();
            for part in path.split_inclusive('}') {
                names += 1;
                named += &part
                    .replace("{PATTERN}", &format!("{{p{names}:a+}}"))
                    .replace("{NAME}", &format!("{{p{names}}}"));
            }
            lines.push(format!("template {named}/end"));
        }
    }
    lines.push("prefix /".to_owned());
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let last = Some(lines.len() as u32 - 1);
    let slashes = format!("GET {}", "/".repeat(16_384));
    let deep = format!("GET {}", "/a".repeat(8_192));
    let almost = format!("GET {}/en", "/a".repeat(10));
    let whole = format!("GET {}/end", "/a".repeat(10));
    let long = format!("GET /{}", "a".repeat(16_384));
    check(
        &lines,
        &[(&slashes, last), (&deep, last), (&almost, last), (&long, last), (&whole, Some(0))],
    );
}
