use super::*;

fn shed(pressure: &Pressure) -> Vec<Priority> {
    let all = [Priority::Sheddable, Priority::Default, Priority::Critical];
    all.into_iter().filter(|priority| pressure.sheds(*priority).is_some()).collect()
}

#[test]
fn memory_sheds_in_steps_and_comes_back_with_a_margin() {
    let (sheddable, ordinary, critical) =
        (Priority::Sheddable, Priority::Default, Priority::Critical);
    let mut pressure = Pressure::default();
    for (percent, expect) in [
        (84, vec![]),
        (85, vec![sheddable]),
        (82, vec![sheddable]),
        (81, vec![]),
        (92, vec![sheddable, ordinary]),
        (97, vec![sheddable, ordinary, critical]),
        (94, vec![sheddable, ordinary, critical]),
        (93, vec![sheddable, ordinary]),
        (120, vec![sheddable, ordinary, critical]),
        (10, vec![]),
    ] {
        pressure.memory_is(percent, 100);
        assert_eq!(shed(&pressure), expect, "{percent} %");
        let full = expect.contains(&critical);
        assert_eq!(pressure.pauses_accept(), full, "{percent} %");
    }
}

#[test]
fn long_turns_shed_but_never_what_is_critical() {
    let max = Duration::from_millis(100);
    let mut pressure = Pressure::default();
    pressure.turn_took(Duration::from_millis(400), max);
    assert_eq!(shed(&pressure), [], "one long turn is no pressure");
    for _ in 0..100 {
        pressure.turn_took(Duration::from_millis(60), max);
    }
    assert_eq!(shed(&pressure), [Priority::Sheddable]);
    for _ in 0..100 {
        pressure.turn_took(Duration::from_secs(1), max);
    }
    assert_eq!(shed(&pressure), [Priority::Sheddable, Priority::Default]);
    assert_eq!(pressure.sheds(Priority::Default), Some("loop_delay"));
    assert!(!pressure.pauses_accept());
    for _ in 0..100 {
        pressure.turn_took(Duration::from_millis(45), max);
    }
    assert_eq!(shed(&pressure), [Priority::Sheddable], "not yet clearly below the step");
    for _ in 0..100 {
        pressure.turn_took(Duration::from_millis(1), max);
    }
    assert_eq!(pressure.level(), Level::Calm);
}
