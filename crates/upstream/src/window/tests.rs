//! Sums over random time.

use std::time::{Duration, Instant};

use super::{Counts, Window};

#[test]
fn sums_equal_the_slices_and_hold_what_is_in_the_window() {
    let mut rng = crate::Rng::new(11);
    let mut now = Instant::now();
    let length = Duration::from_secs(10);
    let mut window = Window::new(length);
    let mut counted: Vec<(Instant, Counts)> = Vec::new();
    for _ in 0..20_000 {
        now += Duration::from_millis(rng.below(700));
        if rng.below(2_000) == 0 {
            now += Duration::from_secs(rng.below(30));
        }
        let counts = Counts { requests: rng.below(3), marked: rng.below(2) };
        window.count(counts, now);
        counted.push((now, counts));
        let sums = window.sums(now);
        let mut of_slices = Counts::default();
        window.slices.iter().for_each(|slice| of_slices.add(*slice));
        assert_eq!(sums, of_slices);
        let within = |age: Duration| -> u64 {
            let young = counted.iter().rev().take_while(|(at, _)| now - *at < age);
            young.map(|(_, counts)| counts.requests).sum()
        };
        let least = within(length - length / 10);
        assert!((least..=within(length)).contains(&sums.requests));
    }
}
