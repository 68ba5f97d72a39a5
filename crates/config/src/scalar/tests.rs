use std::time::Duration;

use super::pattern::{check_regex, check_template};
use super::units::{duration_text, size_text};
use super::{Scalar, words};
use crate::value::Value;

const ANY_DURATION: Scalar = Scalar::Duration { min_ms: 0, max_ms: 86_400_000 };
const ANY_SIZE: Scalar = Scalar::Size { min: 0, max: 1 << 40 };

/// The value as text, or what is suggested or said instead.
#[track_caller]
fn check(scalar: Scalar, text: &str, expect: &str) {
    let found = match scalar.read(text, true) {
        Ok(Value::Text(text)) => text,
        Ok(Value::Duration(duration)) => format!("{duration:?}"),
        Ok(Value::Integer(number)) => number.to_string(),
        Ok(Value::Address(address)) => address.to_string(),
        Ok(Value::Endpoint(endpoint)) => format!("{endpoint:?}"),
        Ok(value) => format!("{value:?}"),
        Err(fault) => match fault.suggestion {
            Some(suggestion) => format!("try {suggestion}"),
            None => format!("error: {}", fault.message),
        },
    };
    assert_eq!(found, expect, "{text}");
}

#[test]
fn durations() {
    let rows = [
        ("250ms", "250ms"),
        ("5s", "5s"),
        ("1m30s", "90s"),
        ("2h", "7200s"),
        ("1d", "86400s"),
        ("1h1m1s1ms", "3661.001s"),
        ("0", "0ns"),
        ("0s", "0ns"),
        ("5", "try 5s"),
        ("", "error: the empty text is not a duration"),
        ("s", "error: `s` is not a duration"),
        ("5 s", "error: `5 s` is not a duration"),
        ("1.5s", "error: `1.5s` is not a duration"),
        ("1s1m", "error: `1s1m` is not a duration"),
        ("1s1s", "error: `1s1s` is not a duration"),
        ("5us", "error: `5us` is not a duration"),
        ("-5s", "error: `-5s` is not a duration"),
        ("25h", "error: `25h` is too long"),
        ("99999999999999999999s", "error: `99999999999999999999s` is not a duration"),
        ("18446744073709551615d", "error: `18446744073709551615d` is not a duration"),
    ];
    for (text, expect) in rows {
        check(ANY_DURATION, text, expect);
    }
    for ms in [1, 999, 1_000, 90_000, 3_661_001, 86_400_000] {
        let value = ANY_DURATION.read(&duration_text(ms), true);
        assert!(matches!(value, Ok(Value::Duration(read)) if read == Duration::from_millis(ms)));
    }
}

#[test]
fn sizes() {
    let rows = [
        ("0", "0"),
        ("4096", "4096"),
        ("64KiB", "65536"),
        ("1MiB", "1048576"),
        ("16kB", "16000"),
        ("1 MB", "1000000"),
        ("7B", "7"),
        ("64K", "try 64KiB"),
        ("64KB", "try 64KiB"),
        ("1g", "try 1GiB"),
        ("KiB", "error: `KiB` is not a size"),
        ("1é", "error: `1é` is not a size"),
        ("2TiB", "error: `2TiB` is too large"),
        ("18446744073709551615KiB", "error: `18446744073709551615KiB` is not a size"),
    ];
    for (text, expect) in rows {
        check(ANY_SIZE, text, expect);
    }
    for bytes in [0, 1, 1_024, 1_000, 1 << 20, 3 << 30] {
        let value = ANY_SIZE.read(&size_text(bytes), true);
        assert!(matches!(value, Ok(Value::Integer(read)) if read == bytes));
    }
}

#[test]
fn addresses() {
    check(Scalar::Address, "127.0.0.1:80", "127.0.0.1:80");
    check(Scalar::Address, "[::]:443", "[::]:443");
    check(Scalar::Address, ":80", "try 0.0.0.0:80");
    check(Scalar::Address, "localhost:80", "try 127.0.0.1:80");
    check(Scalar::Endpoint, "[::1]:80", "Socket([::1]:80)");
    check(Scalar::Network, "10.0.0.0/8", "Network(10.0.0.0/8)");
    check(Scalar::Network, "::1", "Network(::1/128)");
    check(Scalar::Network, "0.0.0.0/0", "Network(0.0.0.0/0)");
    check(Scalar::Network, "10.1.2.3/8", "try 10.0.0.0/8");
    check(Scalar::Network, "2001:db8::1/32", "try 2001:db8::/32");
    check(Scalar::Network, "10.0.0.0/33", "error: `10.0.0.0/33` is not a network");
    check(Scalar::Network, "10.0.0.0/+8", "error: `10.0.0.0/+8` is not a network");
    check(Scalar::Origin, "https://App.example.com:8443", "https://app.example.com:8443");
    check(Scalar::Origin, "https://*.example.com", "https://*.example.com");
    check(Scalar::Origin, "http://[::1]:8080", "http://[::1]:8080");
    check(Scalar::Origin, "*", "*");
    check(Scalar::Origin, "https://a.example/", "try https://a.example");
    check(Scalar::Origin, "https://a.example:443", "try https://a.example");
    check(Scalar::Origin, "a.example", "error: `a.example` is not an origin");
    check(Scalar::Origin, "https://*", "error: `https://*` is not an origin");
    check(Scalar::Origin, "https://a.example/b", "error: `https://a.example/b` is not an origin");
    check(Scalar::Network, "example.com", "error: `example.com` is not a network");
    check(Scalar::Endpoint, "Users.Internal:80", "Name { host: \"users.internal\", port: 80 }");
    check(Scalar::Endpoint, "h2c://users:80", "try users:80");
    check(Scalar::Endpoint, "fe80::1:80", "try [fe80::1]:80");
    check(Scalar::Endpoint, "a:99999", "error: `99999` is not a port");
    check(Scalar::Endpoint, "-a:80", "error: `-a` is not a hostname");
    check(Scalar::Hostname, "*.Example.com", "*.example.com");
    check(Scalar::Hostname, "a.*.com", "error: `a.*.com` is not a hostname");
    check(Scalar::Hostname, "[::1]", "[::1]");
    check(Scalar::Hostname, "::1", "error: `::1` is not a hostname");
    check(Scalar::Host, "::1", "try [::1]");
    check(Scalar::ServerName, "::1", "::1");
    check(Scalar::Host, "example.com:80", "error: `example.com:80` is not a hostname");
}

#[test]
fn names_and_tokens() {
    check(Scalar::Name, "feed-next_2.a", "feed-next_2.a");
    check(Scalar::Name, "a b", "error: `a b` is not a name");
    check(Scalar::HeaderName, "X-One", "x-one");
    check(Scalar::Method, "get", "get");
    check(Scalar::Upgrade, "WebSocket", "websocket");
    check(Scalar::Upgrade, "foo/2.0", "foo/2.0");
    check(Scalar::Path, "users", "try /users");
    check(Scalar::PathText, "/a/{id}", "/a/{id}");
    check(Scalar::Bool, "yes", "try true");
    check(Scalar::Choice(&["http1", "http2"]), "http/2", "try http2");
}

/// The character that a pattern's fault is at, and what is wrong.
#[track_caller]
fn fault(result: Result<(), super::Fault>, offset: Option<usize>, message: &str) {
    let fault = result.expect_err(message);
    assert!(fault.message.contains(message), "{}", fault.message);
    assert_eq!(fault.offset, offset, "{message}");
}

#[test]
fn templates() {
    let valid = [
        "/",
        "/a/",
        "/a//b",
        "/{id}",
        "/v1/users/{id:[0-9]{2,3}}/feed",
        "/{name:[^/]+}/x",
        "/{quoted:\\{\\}}/x",
        "/files/{rest*}",
        "/{stars:a*}/b",
        "/{braces:[{}]+}/b",
        "/{user-id}/{1}",
    ];
    for template in valid {
        assert!(check_template(template).is_ok(), "{template}");
    }
    fault(check_template("a"), None, "does not start with `/`");
    fault(check_template("/é/{id"), Some(3), "`{` without `}`");
    fault(check_template("/a}"), Some(2), "`}` without `{`");
    fault(check_template("/{a}{b}"), Some(2), "not the name");
    fault(check_template("/a/x{b}"), Some(4), "whole segment");
    fault(check_template("/{a*}/b"), Some(1), "last segment");
    fault(check_template("/{a}/{a}"), Some(5), "stands twice");
    fault(check_template("/{a:}"), Some(4), "empty pattern");
    fault(check_template("/{a:x(}"), Some(5), "unclosed group");
    fault(check_template("/{}"), Some(2), "not the name");
    fault(check_template(&"/a".repeat(65)), None, "more than 64 segments");
    let many: String = (0..17).map(|number| format!("/{{p{number}}}")).collect();
    fault(check_template(&many), None, "more than 16 parameters");
    fault(check_template("/a?b/{c}"), Some(2), "visible ASCII");
}

#[test]
fn regular_expressions() {
    for pattern in [r"/v[0-9]+/\d+", "(?i)abc", "é", "[^/]+"] {
        assert!(check_regex(pattern).is_ok(), "{pattern}");
    }
    fault(check_regex("[é]"), Some(1), "Unicode not allowed");
    fault(check_regex("é("), Some(1), "unclosed group");
    fault(check_regex("(a{1000}){1000}"), None, "when compiled");
    fault(check_regex(&"a".repeat(5_000)), None, "longer than 4096");
}

#[test]
fn lists_of_words() {
    let text = |list: &[&str]| words(list.iter().map(|word| (*word).to_owned()));
    assert_eq!(text(&[]), "");
    assert_eq!(text(&["a"]), "`a`");
    assert_eq!(text(&["a", "b", "c"]), "`a`, `b` or `c`");
}
