use serde_json::{Value, json};

use super::{CASES_MIN, CHECKS_MIN, page};

fn report(passed: bool, holds: bool) -> Value {
    let share = json!({"bursts": 3});
    let delay =
        json!({"mean_ms": 40.0, "p01_ms": 1.0, "p50_ms": 39.0, "p99_ms": 79.0, "overtaken": 7});
    let mut cases = vec![
        json!({"name": "loss", "test": "two proportions (lost)", "shares": [0.12, 0.115], "p": 0.25,
            "netem": share, "box": share, "holds": holds}),
        json!({"name": "delay", "test": "KS", "distance": 0.016, "p": 0.5, "netem": delay,
            "box": delay, "holds": true}),
    ];
    cases.resize(CASES_MIN, json!({"name": "other", "holds": true}));
    json!({
        "kernel": "6.1.0", "alpha": 1e-4, "packets": 10_000, "cases": cases,
        "checks": vec![json!({"name": "there", "passed": passed, "seen": "a | b"}); CHECKS_MIN],
    })
}

#[test]
fn a_report_becomes_two_tables() {
    let text = page(&report(true, true), "QEMU 7").unwrap();
    for row in [
        "| there | a \\| b |\n",
        "| loss | 12.00 % in 3 runs | 11.50 % in 3 runs | two proportions (lost) | p = 0.250 |\n",
        "mean 40.00 ms, 1 % 1.00, 50 % 39.00, 99 % 79.00; 7 overtaken",
        "| KS | distance 1.60 %, p = 0.500 |\n",
        "once in 10000 is a failure",
    ] {
        assert!(text.contains(row), "{row}\n{text}");
    }
}

#[test]
fn one_failure_fails_it() {
    let failed = page(&report(false, true), "").unwrap_err().to_string();
    assert!(failed.contains("there: a"), "{failed}");
    let apart = page(&report(true, false), "").unwrap_err().to_string();
    assert!(apart.contains("\"loss\""), "{apart}");
    assert!(page(&json!({"skipped": "none"}), "").is_err());
    assert!(page(&json!({"checks": [], "cases": []}), "").is_err(), "nothing ran");
}
