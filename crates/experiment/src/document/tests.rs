use bulkhead_config::Diagnostics;
use serde_json::{Value, json};

use super::{Syntax, read};

fn value(text: &str, syntax: Syntax) -> Result<Value, Diagnostics> {
    read(text, "file", syntax, "something", |located, _| located.to_value()).map(|(value, _)| value)
}

#[test]
fn plain_scalars_are_what_yaml_1_1_says() {
    // Each was read by PyYAML 6.
    for (text, expected) in [
        ("on", json!(true)),
        ("No", json!(false)),
        ("~", json!(null)),
        ("017", json!(15)),
        ("08", json!("08")),
        ("0x1F", json!(31)),
        ("0b101", json!(5)),
        ("0o17", json!("0o17")),
        ("1_000", json!(1_000)),
        ("1:30", json!(90)),
        ("-12", json!(-12)),
        ("1e3", json!("1e3")),
        ("1.0e+3", json!(1_000.0)),
        ("1.", json!(1.0)),
        (".5", json!(0.5)),
        ("1.2.3", json!("1.2.3")),
        ("'7'", json!("7")),
        ("!!str 7", json!("7")),
        ("2026-11-29", json!("2026-11-29")),
    ] {
        assert_eq!(value(&format!("a: {text}"), Syntax::Yaml).unwrap()["a"], expected, "{text}");
    }
}

#[test]
fn merged_mappings_give_way_to_what_stands_there() {
    let text = "base: &base {a: 1, b: 2}\nmore: {<<: *base, b: 3, c: 4}\n";
    let read = value(text, Syntax::Yaml).unwrap();
    assert_eq!(read["more"], json!({"a": 1, "b": 3, "c": 4}));
}

#[test]
fn json_may_be_indented_by_tabs_and_have_halves_of_characters() {
    let text = "{\n\t\"a\": \"\\ud83d\\ude00 \\u00e9\",\n\t\"b\": [1e3, true, null]\n}";
    assert_eq!(value(text, Syntax::Json).unwrap(), json!({"a": "😀 é", "b": [1e3, true, null]}));
}

#[test]
fn what_is_yaml_only_is_no_json() {
    let error = value("{a: 1}", Syntax::Json).unwrap_err().to_string();
    assert!(error.contains("not JSON"), "{error}");
}
