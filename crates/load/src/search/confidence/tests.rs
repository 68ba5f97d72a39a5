use super::Confidence;

#[test]
fn intervals_are_those_of_the_tables() {
    // Wilson (1927), without correction for continuity.
    for (held, of, low, high) in [
        (5, 5, 0.5655, 1.0),
        (4, 5, 0.3755, 0.9638),
        (0, 5, 0.0, 0.4345),
        (50, 100, 0.4038, 0.5962),
        (1, 1, 0.2065, 1.0),
        (0, 0, 0.0, 1.0),
    ] {
        let found = Confidence::new(held, of);
        assert!((found.low - low).abs() < 5e-5, "{held} of {of}: {found:?}");
        assert!((found.high - high).abs() < 5e-5, "{held} of {of}: {found:?}");
    }
}
