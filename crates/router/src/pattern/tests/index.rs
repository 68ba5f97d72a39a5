//! The index finds exactly what a scan over all patterns finds.

use super::Seeded;
use crate::pattern::{KeyedPattern, PatternIndex, PatternsBuilder};

/// Longer than the part of a key that is hashed.
const LONG: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[test]
fn the_index_agrees_with_a_scan() {
    let mut seeded = Seeded(5);
    for _ in 0..200 {
        let mut builder = PatternsBuilder::default();
        let mut all = Vec::new();
        let mut keyed = Vec::new();
        for value in 0..1 + seeded.below(30) as u32 {
            let literal: String =
                (0..seeded.below(5)).map(|_| seeded.of(&["a", "b", "/", LONG])).collect();
            let text = format!("{literal}{}", seeded.of(&[r"\d*", "(a|b)*", "[ab]*", ".*"]));
            let (id, prefix) = builder.intern(&text).unwrap();
            keyed.push(KeyedPattern { begin: prefix, id, value });
            all.push((id, value));
        }
        let index = PatternIndex::build(&keyed);
        let patterns = builder.finish();
        for _ in 0..200 {
            let text: String =
                (0..seeded.below(8)).map(|_| seeded.of(&["a", "b", "/", "7", LONG])).collect();
            let text = text.as_bytes();
            let mut found = Vec::new();
            index.visit(&patterns, text, &mut found, |_, _| true, |found, value| found.push(value));
            found.sort_unstable();
            let expect: Vec<u32> = all
                .iter()
                .filter(|(id, _)| patterns.is_match(*id, text))
                .map(|&(_, value)| value)
                .collect();
            assert_eq!(found, expect);
            let mut odd = Vec::new();
            index.visit(&patterns, text, &mut odd, |_, v| v % 2 == 1, |odd, v| odd.push(v));
            assert!(odd.iter().all(|value| value % 2 == 1));
        }
    }
}
