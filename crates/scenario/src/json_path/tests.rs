use serde_json::json;

use super::*;

#[test]
fn paths_find_one_value() {
    let document = json!({
        "items": [{"id": 7}, {"id": 8, "a b": {"it's": true}}],
        "ünï": null,
    });
    for (path, expected) in [
        ("$.items[0].id", Some(json!(7))),
        ("$.items[-1].id", Some(json!(8))),
        ("$['items'][1][\"a b\"]['it\\'s']", Some(json!(true))),
        ("$.ünï", Some(json!(null))),
        ("$.items[2]", None),
        ("$.items[-3]", None),
        ("$.items.id", None),
        ("$.items[-9223372036854775808]", None),
    ] {
        let found = JsonPath::parse(path).unwrap();
        assert_eq!(found.find(&document).cloned(), expected, "{path}");
    }
    assert_eq!(JsonPath::parse("$").unwrap().find(&document), Some(&document));
}

#[test]
fn others_are_refused_where_the_fault_is() {
    for (path, offset) in [
        ("items", 0),
        ("$items", 1),
        ("$.", 1),
        ("$..id", 2),
        ("$.*", 2),
        ("$.0", 2),
        ("$.a-b", 3),
        ("$[", 1),
        ("$[*]", 2),
        ("$[0:1]", 3),
        ("$['a", 4),
        ("$['\\x']", 3),
        ("$[--1]", 2),
        ("$[0", 2),
        ("", 0),
    ] {
        let offset = offset.min(path.chars().count().max(1) - 1);
        assert_eq!(JsonPath::parse(path).unwrap_err().offset, offset, "{path}");
    }
}
