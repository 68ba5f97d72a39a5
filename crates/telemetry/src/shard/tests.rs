use super::*;

#[test]
fn every_side_has_its_name() {
    for (side, name) in
        [(Side::Downstream, "downstream"), (Side::Upstream, "upstream"), (Side::Gateway, "gateway")]
    {
        assert_eq!(SIDES[side_index(side)], name);
    }
}
