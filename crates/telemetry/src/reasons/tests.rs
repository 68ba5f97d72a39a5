use super::*;

#[test]
fn counts_by_text_and_bounds_their_number() {
    let reasons = Reasons::default();
    for _ in 0..3 {
        reasons.count("ping_flood");
    }
    reasons.count("rapid_reset");
    let mut sum = BTreeMap::new();
    reasons.add_to(&mut sum);
    assert_eq!(sum, BTreeMap::from([("ping_flood", 3), ("rapid_reset", 1)]));

    for index in 0..REASONS_MAX {
        reasons.count(Box::leak(format!("reason_{index}").into_boxed_str()));
    }
    let mut sum = BTreeMap::new();
    reasons.add_to(&mut sum);
    assert_eq!(sum.len(), REASONS_MAX + 1);
    assert_eq!(sum["other"], 2);
    assert_eq!(sum.values().sum::<u64>(), REASONS_MAX as u64 + 4);
}
