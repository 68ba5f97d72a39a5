//! Held against the gateway's own parser.

use super::*;

const SEED: u64 = 5;

fn ports() -> Ports {
    Ports {
        admin: 1,
        plain: 2,
        secure: 3,
        relay: 4,
        fragile_relay: 5,
        extra: 6,
        flock: vec![7, 8, 9],
        steady: vec![10, 11],
    }
}

#[test]
fn every_variant_is_valid_and_no_two_in_a_row_are_the_same() {
    let ports = ports();
    for number in 1..100 {
        let variant = Variant::drawn(SEED, number);
        let text = variant.render(&ports);
        let parsed = bulkhead_config::parse(&text, "gateway.yaml");
        let parsed = parsed.unwrap_or_else(|errors| panic!("{text}\n{errors:?}"));
        assert_eq!(parsed.config.workers, Some(variant.workers() as usize));
        assert_ne!(text, Variant::drawn(SEED, number + 1).render(&ports));
    }
}

#[test]
fn the_seed_decides() {
    assert_eq!(Variant::drawn(SEED, 9), Variant::drawn(SEED, 9));
    let of = |seed| (1..50).map(|number| Variant::drawn(seed, number)).collect::<Vec<_>>();
    assert_ne!(of(1), of(2));
}

#[test]
fn what_must_be_refused_is_refused() {
    let valid = Variant::drawn(SEED, 1).render(&ports());
    for kind in 0..5 {
        let (what, text) = invalid(&valid, kind);
        assert_ne!(text, valid, "{what}");
        // Whether a file is there is not the parser's to say.
        let refused = bulkhead_config::parse(&text, "gateway.yaml").is_err();
        assert_eq!(refused, what != "no such certificate", "{what}");
    }
}
