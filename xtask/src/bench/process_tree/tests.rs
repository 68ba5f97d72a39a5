use super::ProcessStat;

#[test]
fn stat_is_read_behind_a_hostile_name() {
    let text = "42 (a b) c) S 7 1 1 0 -1 4194560 1 0 0 0 120 30 0 0 20 0 1 0 5 6 7";
    assert_eq!(ProcessStat::parse(42, text), Some(ProcessStat { id: 42, parent: 7, ticks: 150 }));
    assert_eq!(ProcessStat::parse(1, "1 (x) S 0"), None);
}
