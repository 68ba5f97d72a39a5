use super::*;

const TIME: Duration = Duration::from_millis(0x017f_22e2_79b0);

#[test]
fn a_uuid_has_its_time_version_and_variant() {
    // The example of RFC 9562, appendix A.6.
    let text = uuid(TIME, 0xcc3, 0x18c4_dc0c_0c07_398f << 2);
    assert_eq!(std::str::from_utf8(&text), Ok("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"));
    let ones = uuid(Duration::from_millis(u64::MAX), u64::MAX, u64::MAX);
    assert_eq!(std::str::from_utf8(&ones), Ok("ffffffff-ffff-7fff-bfff-ffffffffffff"));
}

#[track_caller]
fn check(trust: IdTrust, trusted: bool, given: &[&str], kept: bool) {
    let ids = RequestIds { header: (*b"x-trace").into(), trust };
    let mut fields: Fields = given.iter().map(|id| ("x-trace", id)).collect();
    ids.assign(&mut fields, trusted, TIME, &mut Rng::new(1));
    let id = std::str::from_utf8(ids.of(&fields).expect("an id")).expect("ASCII").to_owned();
    assert_eq!(given.first() == Some(&id.as_str()), kept, "{id}");
    assert!(kept || id.starts_with("017f22e2-79b0-7"), "{id}");
    assert_eq!(fields.len(), 1);
}

#[test]
fn an_id_is_taken_over_from_whom_it_is_believed() {
    check(IdTrust::Never, true, &["a"], false);
    check(IdTrust::TrustedProxies, false, &["a"], false);
    check(IdTrust::TrustedProxies, true, &["a"], true);
    check(IdTrust::Always, false, &["a"], true);
    check(IdTrust::Always, false, &[], false);
    check(IdTrust::Always, false, &["a", "b"], false);
    check(IdTrust::Always, false, &["a b"], false);
    check(IdTrust::Always, false, &[""], false);
    check(IdTrust::Always, false, &[&"a".repeat(129)], false);
}
