use super::*;

const PLAIN: PathRules = PathRules { merge_slashes: false, escaped_slashes: EscapedSlashes::Keep };

fn with(escaped_slashes: EscapedSlashes) -> PathRules {
    PathRules { merge_slashes: true, escaped_slashes }
}

fn run(rules: PathRules, target: &str) -> Result<String, PathError> {
    let mut out = Vec::new();
    Ok(match rules.normalize(target.as_bytes(), &mut out)? {
        Normalized::Unchanged => target.to_owned(),
        Normalized::Changed => String::from_utf8(out).expect("UTF-8"),
        Normalized::Redirect => format!("-> {}", String::from_utf8(out).expect("UTF-8")),
    })
}

#[track_caller]
fn check(rules: PathRules, target: &str, expect: &str) {
    assert_eq!(run(rules, target).as_deref(), Ok(expect));
}

#[test]
fn unreserved_characters_are_decoded_and_digits_are_upper_case() {
    check(PLAIN, "/%61%2D%2e%5f%7e/%c3%a9", "/a-._~/%C3%A9");
    check(PLAIN, "/a%3ab?%61=%2e%2e/", "/a%3Ab?%61=%2e%2e/");
    check(PLAIN, "/%2561", "/%2561");
    check(PLAIN, "*", "*");
    check(PLAIN, "", "");
}

#[test]
fn dot_segments_are_resolved() {
    for (target, expect) in [
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/b/..", "/a/"),
        ("/a/b/.", "/a/b/"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/.%2e/b", "/b"),
        ("/a/..;x/b", "/a/..;x/b"),
        ("/a/...", "/a/..."),
        ("/.well-known/x", "/.well-known/x"),
        ("/a/b/../../c?d=/../e", "/c?d=/../e"),
        ("/a//../b", "/a/b"),
        ("/a/..//b", "//b"),
    ] {
        check(PLAIN, target, expect);
    }
}

#[test]
fn slashes_are_merged_where_that_is_asked_for() {
    check(PLAIN, "//a///b", "//a///b");
    check(with(EscapedSlashes::Keep), "//a///b//", "/a/b/");
    check(with(EscapedSlashes::Keep), "/a//../b", "/b");
    check(with(EscapedSlashes::Keep), "/a?b//c", "/a?b//c");
}

#[test]
fn escaped_slashes_are_kept_refused_or_decoded() {
    check(PLAIN, "/a%2fb%5cc", "/a%2Fb%5Cc");
    check(with(EscapedSlashes::Decode), "/a%2fb%5Cc/%2e%2e", "/a/b/");
    check(with(EscapedSlashes::Redirect), "/a%2Fb?c", "-> /a/b?c");
    check(with(EscapedSlashes::Redirect), "/a/%62", "/a/b");
    assert_eq!(run(with(EscapedSlashes::Reject), "/a%2Fb"), Err(PathError::EscapedSlash));
    assert_eq!(run(with(EscapedSlashes::Reject), "/a%5cb"), Err(PathError::EscapedSlash));
}

#[test]
fn what_two_servers_could_read_differently_is_refused() {
    for (target, expect) in [
        ("/..", PathError::LeavesRoot),
        ("/a/../../b", PathError::LeavesRoot),
        ("/%2e%2e/a", PathError::LeavesRoot),
        ("/a%00", PathError::Control),
        ("/a%0d%0ab", PathError::Control),
        ("/%7f", PathError::Control),
        ("/%", PathError::Encoding),
        ("/%2", PathError::Encoding),
        ("/%zz", PathError::Encoding),
        ("/a\\..\\b", PathError::Backslash),
        ("/a/..%2fb", PathError::HiddenDots),
        ("/a/b%2F..%2fc", PathError::HiddenDots),
        ("/a/b%5c%2e%2e", PathError::HiddenDots),
        ("/.%2f", PathError::HiddenDots),
    ] {
        assert_eq!(run(PLAIN, target), Err(expect), "{target}");
    }
    check(PLAIN, "/a..%2fb", "/a..%2Fb");
}

/// Every path of these pieces: normalising twice is normalising once, no dot segment is left, and a
/// path that has none of the bytes that matter is left alone.
#[test]
fn normalising_twice_is_normalising_once() {
    const PIECES: [&str; 12] =
        ["/", "a", ".", "%2e", "%2F", "%5c", "%61", "%25", ";", "//", "..", "%C3"];
    let rules = [
        PLAIN,
        with(EscapedSlashes::Keep),
        with(EscapedSlashes::Reject),
        with(EscapedSlashes::Decode),
        PathRules { merge_slashes: false, escaped_slashes: EscapedSlashes::Decode },
    ];
    for number in 0..PIECES.len().pow(4) {
        let piece = |place: u32| PIECES[number / PIECES.len().pow(place) % PIECES.len()];
        let target = format!("/{}{}{}{}", piece(0), piece(1), piece(2), piece(3));
        for rules in rules {
            let Ok(once) = run(rules, &target) else { continue };
            assert_eq!(run(rules, &once).as_ref(), Ok(&once), "{target}");
            assert!(once.starts_with('/'), "{target}");
            let dots = |segment: &str| matches!(segment, "." | "..");
            assert!(!once.split('/').any(dots), "{target} -> {once}");
            assert!(!rules.merge_slashes || !once.contains("//"), "{target} -> {once}");
        }
    }
}
