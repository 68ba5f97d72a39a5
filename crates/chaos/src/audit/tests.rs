use serde_json::json;

use super::{AuditError, AuditHead, hex_digest};

fn log(entries: usize) -> (String, AuditHead) {
    let mut head = AuditHead::default();
    let text = (0..entries)
        .map(|index| {
            let detail = json!({"seed": u64::MAX, "rules": {"z": 1.5, "a": [null, "ü\n"]}});
            head.append(index as u64, "somebody", "inject", detail).unwrap()
        })
        .collect();
    (text, head)
}

#[test]
fn the_digest_is_sha_256() {
    // FIPS 180-2, appendix B.1.
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hex_digest(b"abc"), expected);
}

#[test]
fn a_log_that_nobody_touched_holds() {
    let (text, head) = log(20);
    assert_eq!(AuditHead::verify(&text, None), Ok(head.clone()));
    assert_eq!(AuditHead::verify(&text, Some(&head.hash)), Ok(head));
    assert_eq!(AuditHead::verify("", None), Ok(AuditHead::default()));
}

#[test]
fn every_kind_of_change_is_found() {
    let (text, head) = log(5);
    let lines: Vec<&str> = text.lines().collect();
    let without = |index: usize| {
        let mut lines = lines.clone();
        lines.remove(index);
        lines.join("\n")
    };
    assert_eq!(AuditHead::verify(&without(2), None), Err(AuditError::Unchained(3)));
    assert_eq!(AuditHead::verify(&without(0), None), Err(AuditError::Unchained(1)));
    let mut swapped = lines.clone();
    swapped.swap(1, 2);
    assert_eq!(AuditHead::verify(&swapped.join("\n"), None), Err(AuditError::Unchained(2)));
    let changed = text.replacen("somebody", "nobodyy", 1);
    assert_eq!(AuditHead::verify(&changed, None), Err(AuditError::Changed(1)));
    assert_eq!(AuditHead::verify("{}\n", None), Err(AuditError::NoEntry(1)));
    // Cut off at the end: only a hash that was kept shows it.
    assert!(AuditHead::verify(&without(4), None).is_ok());
    let missing = AuditError::HeadMissing(head.hash.clone());
    assert_eq!(AuditHead::verify(&without(4), Some(&head.hash)), Err(missing));
}
