use super::nearest;

#[test]
fn slips_are_understood_and_other_words_are_not() {
    let valid = ["address", "name", "tls", "protocols", "request_header_modifier"];
    let rows = [
        ("adress", Some("address")),
        ("addr", Some("address")),
        ("nmae", Some("name")),
        ("tsl", Some("tls")),
        ("protocol", Some("protocols")),
        ("requestHeaderModifier", Some("request_header_modifier")),
        ("request-header-modifer", Some("request_header_modifier")),
        ("port", None),
        ("x", None),
        ("", None),
    ];
    for (text, expect) in rows {
        assert_eq!(nearest(text, valid.into_iter()), expect, "{text}");
    }
}
