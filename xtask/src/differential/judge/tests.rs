use super::*;

fn seen(texts: &[&str]) -> Vec<Seen> {
    let one = |text: &&str| match *text {
        "-" => Seen::Bad,
        text => Seen::Request(text.to_owned()),
    };
    texts.iter().map(one).collect()
}

#[track_caller]
fn check(front: &[&str], back: &[&str], expect: &str) {
    let verdict = match judge(&seen(front), &seen(back), Rules { unordered: false, strict: true }) {
        Verdict::Rejected => "rejected",
        Verdict::Agreed => "agreed",
        Verdict::Refused => "refused",
        Verdict::Differs(_) => "differs",
    };
    assert_eq!(verdict, expect);
}

#[test]
fn the_back_may_see_less_and_nothing_else() {
    check(&[], &[], "rejected");
    check(&["POST /a", "GET /b"], &["POST /a", "GET /b"], "agreed");
    check(&["POST /a", "GET /b"], &["-"], "refused");
    check(&["POST /a", "GET /b"], &["POST /a", "-"], "refused");
    check(&["POST /a", "GET /b"], &["GET /b"], "refused");
    check(&["POST /a", "GET /b"], &[], "refused");
    check(&["POST /a", "GET /b"], &["GET /b", "POST /a"], "differs");
    check(&["POST /a"], &["POST /a", "GET /c"], "differs");
    check(&["POST /a"], &["POST /a", "-"], "differs");
    check(&[], &["-"], "differs");
}

#[test]
fn what_was_to_be_smuggled_is_no_request() {
    check(&["POST /a", "GET /smuggled1"], &["POST /a", "GET /smuggled1"], "differs");
}

#[test]
fn a_request_that_was_swallowed_by_the_one_before_is_missed() {
    check(&["POST /a", "GET /b"], &["POST /a"], "differs");
}

#[test]
fn streams_come_in_any_order() {
    let rules = Rules { unordered: true, strict: true };
    let (front, back) = (seen(&["POST /a", "GET /b"]), seen(&["GET /b", "POST /a"]));
    assert_eq!(judge(&front, &back, rules), Verdict::Agreed);
    assert!(matches!(judge(&front, &seen(&["GET /b", "GET /b"]), rules), Verdict::Differs(_)));
}
