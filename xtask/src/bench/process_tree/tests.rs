use super::{Memory, ProcessStat};

#[test]
fn stat_is_read_behind_a_hostile_name() {
    let text = "42 (a b) c) S 7 1 1 0 -1 4194560 1 0 0 0 120 30 0 0 20 0 1 0 5 6 7";
    assert_eq!(ProcessStat::parse(42, text), Some(ProcessStat { id: 42, parent: 7, ticks: 150 }));
    assert_eq!(ProcessStat::parse(1, "1 (x) S 0"), None);
}

#[test]
fn memory_is_read_from_the_rollup() {
    let text = "00400000-7ffd000 ---p 00000000 00:00 0 [rollup]\nRss:  15036 kB\nPss:  13105 kB\n\
                Pss_Dirty:  2508 kB\n";
    let expected = Memory { resident_kib: 15_036.0, proportional_kib: 13_105.0 };
    assert_eq!(Memory::parse(text), Some(expected));
    assert_eq!(Memory::parse("Rss: 1 kB\n"), None);
}
