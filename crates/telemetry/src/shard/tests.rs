use super::*;

#[test]
fn every_kind_of_failure_has_its_side() {
    for (kind, side) in [
        (FailureKind::BadRequest, "downstream"),
        (FailureKind::ClientAborted, "downstream"),
        (FailureKind::Connect, "upstream"),
        (FailureKind::DeadlineExceeded, "upstream"),
        (FailureKind::Overloaded, "gateway"),
        (FailureKind::Internal, "gateway"),
    ] {
        assert_eq!(SIDES[side_index(side_of(kind))], side, "{kind:?}");
    }
}
