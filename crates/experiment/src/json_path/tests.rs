use serde_json::{Value, json};

use super::JsonPath;

/// What the Python package `jsonpath2` 0.4 said to each path: the values that it selects from `DOCUMENT`,
/// or that it is none.
const ORACLE: &str = r#"
["$", [{"a": {"b": [{"id": 1, "n": "x"}, {"id": 2, "n": "y"}, {"id": 3}]}, "e": [], "f": false, "k": "n", "s": "hello", "t": [5, 6, 7, 8]}]]
["$.a.b[0].n", ["x"]]
["$[\"a\"][\"b\"][-1]", [{"id": 3}]]
["$.a.b[*].id", [1, 2, 3]]
["$..id", [1, 2, 3]]
["$..*", [{"b": [{"id": 1, "n": "x"}, {"id": 2, "n": "y"}, {"id": 3}]}, [], false, "n", "hello", [5, 6, 7, 8], [{"id": 1, "n": "x"}, {"id": 2, "n": "y"}, {"id": 3}], {"id": 1, "n": "x"}, {"id": 2, "n": "y"}, {"id": 3}, 1, "x", 2, "y", 3, 5, 6, 7, 8]]
["$.t[1:3]", [6, 7]]
["$.t[::2]", [5, 7]]
["$.t[-2:]", [7, 8]]
["$.t[:-1]", [5, 6, 7]]
["$.t[-9:2]", [5, 6]]
["$.t[3:0:-1]", [8, 7, 6]]
["$.a.b[*][?(@.id=2)]", [{"id": 2, "n": "y"}]]
["$.a.b[*][?(@.id>=2)].n", ["y"]]
["$.a.b[*][?(@.n)]", [{"id": 1, "n": "x"}, {"id": 2, "n": "y"}]]
["$.a.b[*][?(not @.n)]", [{"id": 3}]]
["$.a.b[?(@.id=2)]", []]
["$.a.b[*][?(@.id=1 or @.id=3)].id", [1, 3]]
["$.a.b[*][?(@.id>1 and @.n=\"y\")].id", [2]]
["$.a.b[*][?(@.id=1 and @.n=\"y\" or @.id=1)].id", [1]]
["$.a.b.length()", [3]]
["$.s.length()", [5]]
["$.s.charAt(1)", ["e"]]
["$.s.substring(1,3)", ["el"]]
["$.s[substring(-3)]", ["llo"]]
["$.t.keys()", [[0, 1, 2, 3]]]
["$.a.b[0].keys()", [["id", "n"]]]
["$.a.b[0].entries()", [[["id", 1], ["n", "x"]]]]
["$.t.values()", [[5, 6, 7, 8]]]
["$.a.b[0][$.k]", ["x"]]
["$.t[0,2]", [5, 7]]
["$.none", []]
["$.t[9]", []]
["$.f[?(@=false)]", [false]]
["$.t[*][?(@ != 6)]", [5, 7, 8]]
["$.t[?(@[0] < 6)]", [[5, 6, 7, 8]]]
["$.a..n", ["x", "y"]]
["$.t[$.a.b[0].id]", [6]]
["$ . s", ["hello"]]
["$..[0]", [{"id": 1, "n": "x"}, 5]]
["$.e[*]", []]
["$.a.b[*][?(@.id = $.a.b[1].id)].id", [2]]
["$[?(true)].s", ["hello"]]
["$.t[?(@=[5,6,7,8])]", [[5, 6, 7, 8]]]
["$.a.b[*][?(@={\"id\":3})]", [{"id": 3}]]
["", "invalid"]
["a", "invalid"]
["$.", "invalid"]
["$[", "invalid"]
["$.a.b[?(@.id==2)]", "invalid"]
["$.t[1", "invalid"]
["$.x-y", "invalid"]
["$['x", "invalid"]
["$.and", "invalid"]
["$.t[1.5]", "invalid"]
["$.foo()", "invalid"]
["$..", "invalid"]
["$.a b", "invalid"]
["$[]", "invalid"]
["$.a.b[?@.id=1]", "invalid"]
["$.t[01]", "invalid"]
["$$", "invalid"]
["@.a", "invalid"]
["$.*", [{"b": [{"id": 1, "n": "x"}, {"id": 2, "n": "y"}, {"id": 3}]}, [], false, "n", "hello", [5, 6, 7, 8]]]
["$.t['*']", "invalid"]
"#;

const DOCUMENT: &str = r#"
{"a": {"b": [{"id": 1, "n": "x"}, {"id": 2, "n": "y"}, {"id": 3}]}, "e": [], "f": false, "k": "n", "s": "hello", "t": [5, 6, 7, 8]}
"#;

#[test]
fn paths_select_what_jsonpath2_selects() {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let rows: Vec<&str> = ORACLE.trim().lines().collect();
    assert!(rows.len() > 60);
    for row in rows {
        let row: Value = serde_json::from_str(row).unwrap();
        let path = row[0].as_str().unwrap();
        let selected = JsonPath::parse(path).map(|path| json!(path.select(&document)));
        assert_eq!(selected.unwrap_or_else(|_| json!("invalid")), row[1], "{path}");
    }
}

#[test]
fn depth_and_number_are_bounded() {
    let path = format!("$[?({}@.a{})]", "(".repeat(1_000), ")".repeat(1_000));
    assert!(JsonPath::parse(&path).unwrap_err().message.contains("deeper"));
    let wide: Value = vec![json!([1, 2, 3, 4]); 50_000].into();
    assert_eq!(JsonPath::parse("$..[*]").unwrap().select(&wide).len(), 100_000);
}

#[test]
fn what_is_no_path_is_told_with_its_place() {
    for (path, offset, message) in [
        ("$['a']", 2, "double quotes"),
        ("$.a[?(@.b==1)]", 10, "written `=`, once"),
        ("$.a.first()", 9, "no such function"),
    ] {
        let error = JsonPath::parse(path).unwrap_err();
        assert_eq!(error.offset, offset, "{path}: {error}");
        assert!(error.message.contains(message), "{path}: {error}");
    }
}
