use super::{BOTTOM, LEFT, Mark, RIGHT, Series, svg, x_of, y_of};
use crate::bench::stall::theory::Percentiles;

#[test]
fn nines_are_equally_far_apart() {
    assert!((x_of(1.0) - LEFT).abs() < 1e-9 && (x_of(1e-4) - RIGHT).abs() < 1e-9);
    assert!((x_of(0.01) - LEFT.midpoint(RIGHT)).abs() < 1e-9);
    assert!((y_of(0.0) - BOTTOM).abs() < 1e-9);
}

#[test]
fn every_point_that_was_told_is_drawn() {
    let theory = [10.0, 20.0, 30.0];
    let told = Percentiles { p50: 10.0, p90: 20.0, p99: 30.0, p999: None, max: 30.0 };
    let series = |mark| Series { name: "ours", mark, told, count: 3 };
    let text = svg("a title", &theory, &theory, &[Mark::Circle, Mark::Square].map(series));
    // One of each stands in the legend.
    assert_eq!(text.matches("<circle").count(), 5);
    assert_eq!(text.matches("<path class=\"closed\"").count(), 5);
}
