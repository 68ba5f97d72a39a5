use super::{Count, count, failures};

#[test]
fn the_count_is_read() {
    let told = "Total cases: 3820\n3820 passed, 0 failed\n";
    assert_eq!(count(told).unwrap(), Count { cases: 3820, passed: 3820, failed: 0 });
    let told = "INFO: a/b failed (as expected):\n\tno\n\nTotal cases: 9\n7 passed, 0 failed\n\
                (Another 2 failed as expected due to being known failures/flakes.)\n";
    assert_eq!(count(told).unwrap(), Count { cases: 9, passed: 7, failed: 2 });
    assert!(count("panic: no").is_err());
}

#[test]
fn failures_are_told_or_else_the_end() {
    let told = "x\nFAILED: a/b:\n\twanted 1\n\tgot 2\nFAILED: c:\n\tno\nTotal cases: 2\n";
    assert_eq!(failures(told), "FAILED: a/b:\n\twanted 1\nFAILED: c:\n\tno");
    assert_eq!(failures("one\ntwo\n"), "one\ntwo");
}
