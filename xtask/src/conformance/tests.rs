use super::{HEAD, with_section};

#[test]
fn a_section_is_replaced_and_the_others_stay() {
    let (first, second) = ("HTTP/2: h2spec", "WebSocket: Autobahn");
    let page = with_section("# Old page\n", second, "two\n");
    assert_eq!(page, format!("{HEAD}\n## {second}\n\ntwo\n"));
    let page = with_section(&page, first, "one\n");
    assert_eq!(page, format!("{HEAD}\n## {first}\n\none\n\n## {second}\n\ntwo\n"));
    let page = with_section(&page, first, "new\n");
    assert_eq!(page, format!("{HEAD}\n## {first}\n\nnew\n\n## {second}\n\ntwo\n"));
}
