use super::replaced;

#[test]
fn only_what_stands_between_the_markers_is_replaced() {
    let page = "a\n<!-- load-generators:begin -->\nold\n<!-- load-generators:end -->\nb\n";
    let expected = page.replace("old", "new");
    assert_eq!(replaced(page, "load-generators", "new\n").as_deref(), Some(expected.as_str()));
    assert_eq!(replaced("no markers", "load-generators", "new\n"), None);
}
