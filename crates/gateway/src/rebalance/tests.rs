use super::*;

/// What is moved at each look while nothing changes.
fn looks(balance: &mut Balance, own: usize, all: &[usize], count: usize) -> Vec<usize> {
    (0..count).map(|_| balance.look(own, all)).collect()
}

#[test]
fn only_who_has_had_too_many_for_a_while_moves_some() {
    let mut balance = Balance::default();
    assert_eq!(looks(&mut balance, 90, &[10, 20, 90], 4), [0, 0, 30, 30]);
    balance.moved();
    // It rests, and then has to have had too many again.
    assert_eq!(looks(&mut balance, 90, &[10, 20, 90], 6), [0, 0, 0, 0, 30, 30]);
}

#[test]
fn what_is_nearly_even_stays() {
    let mut balance = Balance::default();
    for (own, all) in [
        (1, &[0, 1][..]),
        (2, &[1, 2]),
        (14, &[10, 14]),
        (150, &[100, 50, 150]),
        (10, &[10, 90]),
        (500, &[500]),
        (0, &[0, 0]),
    ] {
        assert_eq!(looks(&mut balance, own, all, 5), [0; 5], "{all:?}");
    }
}

#[test]
fn a_move_makes_nobody_else_too_full() {
    let mut balance = Balance::default();
    // The mean is 40: the emptiest has room for 30 of the 50 in excess.
    assert_eq!(looks(&mut balance, 90, &[10, 20, 90], 3)[2], 30);
    let mut balance = Balance::default();
    assert_eq!(looks(&mut balance, 10_000, &[0, 10_000], 3)[2], MOVED_MAX);
}

#[test]
fn a_good_look_starts_the_patience_anew() {
    let mut balance = Balance::default();
    assert_eq!(looks(&mut balance, 90, &[10, 90], 2), [0, 0]);
    assert_eq!(balance.look(50, &[50, 50]), 0);
    assert_eq!(looks(&mut balance, 90, &[10, 90], 2), [0, 0]);
}

#[test]
fn few_that_are_uneven_are_spread_as_well() {
    assert_eq!(looks(&mut Balance::default(), 4, &[0, 4], 3), [0, 0, 2]);
    assert_eq!(looks(&mut Balance::default(), 9, &[1, 9], 3), [0, 0, 4]);
    assert_eq!(looks(&mut Balance::default(), 2, &[0, 2], 3), [0, 0, 0], "one more than the mean");
}
