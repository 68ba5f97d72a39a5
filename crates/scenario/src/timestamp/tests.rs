use super::*;

#[test]
fn both_forms_are_read() {
    for (text, expected) in [
        ("1970-01-01T00:00:00Z", Some((0, 0))),
        ("2026-11-29T14:47:23.123Z", Some((1_795_963_643, 123_000_000))),
        ("2026-11-29 15:47:23.1234567899+01:00", Some((1_795_963_643, 123_456_789))),
        ("2024-02-29T23:59:60-00:30", Some((1_709_253_000, 0))),
        ("2023-02-29T00:00:00Z", None),
        ("2026-11-29T14:47:23", None),
        ("2026-11-29T14:47:23.Z", None),
        ("2026-13-01T00:00:00Z", None),
        ("1970-01-01T00:00:00+01:00", None),
        ("é026-11-29T14:47:23Z", None),
        ("", None),
    ] {
        let expected = expected.map(|(seconds, nanoseconds)| Duration::new(seconds, nanoseconds));
        assert_eq!(rfc3339(text), expected, "{text}");
    }
    for (text, expected) in [
        ("10/Oct/2000:13:55:36 -0700", Some(971_211_336)),
        ("29/Nov/2026:14:47:23 +0000", Some(1_795_963_643)),
        ("29/Nov/2026:14:47:23", None),
        ("29/Nix/2026:14:47:23 +0000", None),
        ("29/Nov/2026:14:47 +0000", None),
        ("29/Nov/2026:14:47:23 0000", None),
    ] {
        assert_eq!(log_time(text), expected.map(Duration::from_secs), "{text}");
    }
}
