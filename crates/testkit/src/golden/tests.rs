use super::*;
use crate::Scratch;

#[test]
fn first_difference_is_told() {
    for (expected, actual, difference) in [
        ("a\nb\n", "a\nb\n", None),
        ("a\nb\n", "a\nc\n", Some("line 2\n  expected: b\n  actual:   c")),
        ("a\n", "a\nb\n", Some("line 2\n  expected: \n  actual:   b")),
        ("a\nb", "a", Some("line 2\n  expected: b\n  actual:   (end)")),
    ] {
        assert_eq!(first_difference(expected, actual).as_deref(), difference);
    }
}

#[test]
fn equal_file_passes_and_other_fails() {
    let scratch = Scratch::new();
    let path = scratch.write("expected.txt", "one\n");
    check_golden(&path, "one\n");
    let result = std::panic::catch_unwind(|| check_golden(&path, "two\n"));
    assert!(result.is_err());
}
