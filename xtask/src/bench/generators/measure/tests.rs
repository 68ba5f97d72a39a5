use super::parse_times;

#[test]
fn times_are_summed_and_nothing_else_is_taken_for_them() {
    assert!((parse_times("0.250 0.500\n").unwrap() - 0.75).abs() < 1e-9);
    assert!((parse_times("bash: a warning\n1.000 0.000\n").unwrap() - 1.0).abs() < 1e-9);
    assert!(parse_times("Terminated\n").is_err());
}
