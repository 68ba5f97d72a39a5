use super::*;

fn candidates(count: usize) -> Vec<Candidate> {
    (0..count)
        .map(|index| Candidate {
            target: Target::Link { name: format!("link{index}") },
            labels: [("zone".to_owned(), if index % 2 == 0 { "a" } else { "b" }.to_owned())].into(),
        })
        .collect()
}

/// Nothing else is injected.
fn nobody(_: &Target) -> bool {
    false
}

fn radius(extent: Extent, rounding: Rounding) -> BlastRadius {
    BlastRadius { extent, rounding, labels: BTreeMap::new(), min_survivors: 1 }
}

#[track_caller]
fn check(percent: f64, rounding: Rounding, of: usize, expected: usize) {
    let drawn =
        radius(Extent::Percent(percent), rounding).draw(&candidates(of), 1, nobody).unwrap();
    assert_eq!(drawn.targets.len(), expected);
    let effective = expected as f64 * 100.0 / of as f64;
    assert!((drawn.effective_percent - effective).abs() < 1e-9);
}

#[test]
fn the_rounding_is_the_stated_one() {
    check(15.0, Rounding::Ceil, 8, 2);
    check(15.0, Rounding::Ceil, 2, 1);
    check(15.0, Rounding::Floor, 8, 1);
    check(15.0, Rounding::Floor, 2, 0);
    check(50.0, Rounding::Stochastic, 8, 4);
}

#[test]
fn stochastic_rounding_keeps_the_mean() {
    let radius = radius(Extent::Percent(15.0), Rounding::Stochastic);
    let candidates = candidates(10);
    let struck: usize =
        (0..20_000).map(|seed| radius.draw(&candidates, seed, nobody).unwrap().targets.len()).sum();
    // 1.5 for each draw, with a standard error of 0.0035.
    let mean = struck as f64 / 20_000.0;
    assert!((mean - 1.5).abs() < 0.015, "{mean}");
}

#[test]
fn everyone_has_the_same_chance_and_the_seed_decides() {
    let radius = radius(Extent::Count(3), Rounding::Ceil);
    let candidates = candidates(10);
    let mut struck = [0u32; 10];
    for seed in 0..20_000 {
        let drawn = radius.draw(&candidates, seed, nobody).unwrap();
        assert_eq!(drawn, radius.draw(&candidates, seed, nobody).unwrap());
        for victim in drawn.targets {
            struck[candidates.iter().position(|candidate| *candidate == victim).unwrap()] += 1;
        }
    }
    // Chi-square of ten equal cells; its 99.9 % quantile with nine degrees of freedom is 27.9.
    let chi: f64 = struck.iter().map(|&n| (f64::from(n) - 6_000.0).powi(2) / 6_000.0).sum();
    assert!(chi < 27.9, "{struck:?}");
}

#[test]
fn survivors_are_left_and_labels_kept() {
    let mut radius = radius(Extent::Percent(100.0), Rounding::Ceil);
    radius.labels = [("zone".to_owned(), "a".to_owned())].into();
    radius.min_survivors = 2;
    let drawn = radius.draw(&candidates(10), 3, nobody).unwrap();
    assert_eq!((drawn.candidates, drawn.targets.len(), drawn.spared), (5, 3, 2));
    assert!(drawn.targets.iter().all(|victim| victim.labels["zone"] == "a"));
    radius.min_survivors = 5;
    let nobody_left = BlastRadiusError::NobodyLeft { candidates: 5, struck: 0, min_survivors: 5 };
    assert_eq!(radius.draw(&candidates(10), 3, nobody), Err(nobody_left));
    radius.labels = [("zone".to_owned(), "c".to_owned())].into();
    assert_eq!(radius.draw(&candidates(10), 3, nobody), Err(BlastRadiusError::NoCandidate));
}

#[test]
fn who_is_struck_already_is_neither_drawn_nor_a_survivor() {
    let mut radius = radius(Extent::Percent(50.0), Rounding::Ceil);
    let candidates = candidates(4);
    let struck = [candidates[0].target.clone(), candidates[2].target.clone()];
    let is_struck = |target: &Target| struck.contains(target);
    for seed in 0..100 {
        let drawn = radius.draw(&candidates, seed, is_struck).unwrap();
        assert_eq!((drawn.targets.len(), drawn.candidates, drawn.spared), (1, 4, 1));
        assert!(!is_struck(&drawn.targets[0].target));
    }
    radius.min_survivors = 2;
    let told = radius.draw(&candidates, 1, is_struck).unwrap_err().to_string();
    assert_eq!(told, "4 targets have the labels, 2 of them are struck already, and 2 must survive");
}

#[test]
fn what_means_nothing_is_refused() {
    for percent in [0.0, -1.0, 100.1, f64::NAN] {
        let drawn =
            radius(Extent::Percent(percent), Rounding::Ceil).draw(&candidates(2), 1, nobody);
        assert_eq!(drawn, Err(BlastRadiusError::Percent));
    }
    let drawn = radius(Extent::Count(0), Rounding::Ceil).draw(&candidates(2), 1, nobody);
    assert_eq!(drawn, Err(BlastRadiusError::Count));
}

#[test]
fn it_is_declared_in_a_line() {
    let json = r#"{"percent": 15, "rounding": "floor", "labels": {"zone": "a"}}"#;
    let read: BlastRadius = serde_json::from_str(json).unwrap();
    assert_eq!(read.extent, Extent::Percent(15.0));
    assert_eq!((read.rounding, read.min_survivors), (Rounding::Floor, 1));
}
