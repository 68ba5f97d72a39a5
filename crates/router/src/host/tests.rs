//! Hostnames, and the order in which an authority finds them.

use super::{Hostname, Hosts};

#[test]
fn hostnames() {
    let exact = |name: &str| Some(Hostname::Exact(name.into()));
    let suffix = |name: &str| Some(Hostname::Suffix(name.into()));
    for (text, expect) in [
        ("example.com", exact("example.com")),
        ("EXAMPLE.com.", exact("example.com")),
        ("localhost", exact("localhost")),
        ("127.0.0.1", exact("127.0.0.1")),
        ("[::1]", exact("[::1]")),
        ("a_b-c.d", exact("a_b-c.d")),
        ("*.Example.com", suffix(".example.com")),
        ("*", Some(Hostname::Any)),
        ("", None),
        ("*.", None),
        (".com", None),
        ("a..b", None),
        ("a.*.b", None),
        ("*a.b", None),
        ("example.com:80", None),
        ("ex ample", None),
        ("[::1", None),
        ("*.[::1]", None),
    ] {
        assert_eq!(Hostname::parse(text).ok(), expect, "{text}");
    }
    assert!(Hostname::parse(&"a".repeat(255)).is_ok());
    assert!(Hostname::parse(&"a".repeat(256)).is_err());
}

#[test]
fn the_most_specific_name_comes_first() {
    let names = ["a.example.com", "*.example.com", "*.a.example.com", "*.com", "*", "[::1]"];
    let mut hosts = Hosts::default();
    for (number, name) in (0..).zip(names) {
        hosts.entry(&Hostname::parse(name).unwrap(), || number);
    }
    let long = format!("{}.com", "a.".repeat(200));
    let dots = ".".repeat(16_384);
    for (authority, expect) in [
        ("a.example.com", &["a.example.com", "*.example.com", "*.com", "*"][..]),
        ("A.Example.COM:8080", &["a.example.com", "*.example.com", "*.com", "*"]),
        ("a.example.com.", &["a.example.com", "*.example.com", "*.com", "*"]),
        ("b.example.com", &["*.example.com", "*.com", "*"]),
        ("c.a.example.com", &["*.a.example.com", "*.example.com", "*.com", "*"]),
        ("example.com", &["*.com", "*"]),
        (".example.com", &["*.com", "*"]),
        ("com", &["*"]),
        ("", &["*"]),
        (":80", &["*"]),
        ("[::1]:80", &["[::1]", "*"]),
        ("[::1", &["*"]),
        (&long, &["*"]),
        (&dots, &["*"]),
    ] {
        let mut seen = Vec::new();
        let found = hosts.first(authority.as_bytes(), |number| {
            seen.push(names[number as usize]);
            None::<()>
        });
        assert_eq!((seen.as_slice(), found), (expect, None), "{authority}");
        let first = hosts.first(authority.as_bytes(), Some).map(|number| names[number as usize]);
        assert_eq!(first, expect.first().copied(), "{authority}: stops at the first");
    }
}
