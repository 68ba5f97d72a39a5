//! What is spelled out, and what is left to the engine.

use super::spell_out;

#[test]
fn alternatives() {
    for (pattern, expect) in [
        ("abc", Some(&["abc"][..])),
        ("a|b", Some(&["a", "b"])),
        ("a|", Some(&["a", ""])),
        (r"u(\d+|x)", Some(&[r"u\d+", "ux"])),
        ("(?:a|b)c(d|e)", Some(&["acd", "ace", "bcd", "bce"])),
        ("((a|b)|c)d", Some(&["ad", "bd", "cd"])),
        (r"a\|b\(", Some(&[r"a\|b\("])),
        ("[(|]+", Some(&["[(|]+"])),
        (r"[^)\]]|x", Some(&[r"[^)\]]", "x"])),
        ("(a|b)+", None),
        ("(a)?", None),
        ("(a){2}", None),
        ("(?i)a|b", None),
        ("(?P<n>a)", None),
        ("a)|(b", None),
        ("a(+)", None),
        ("a(?:*b|c)", None),
        ("a(b|+)", None),
        ("a{1(,)2}", None),
        ("a{2}(b|c)", Some(&["a{2}b", "a{2}c"])),
        ("(a", None),
        ("[]a]|(", None),
        ("[a[b]]", None),
        ("[a", None),
        (
            "(a|b)(a|b)(a|b)(a|b)",
            Some(&[
                "aaaa", "aaab", "aaba", "aabb", "abaa", "abab", "abba", "abbb", "baaa", "baab",
                "baba", "babb", "bbaa", "bbab", "bbba", "bbbb",
            ]),
        ),
        ("(a|b)(a|b)(a|b)(a|b)(a|b)", None),
    ] {
        let got = spell_out(pattern);
        let got = got.as_ref().map(|all| all.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(got.as_deref(), expect, "{pattern}");
    }
}
