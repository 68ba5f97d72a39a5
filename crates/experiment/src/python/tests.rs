use std::cmp::Ordering;

use serde_json::json;

use super::{compare, equal, text, truthy};

#[test]
fn values_become_text_as_in_python() {
    // Each was printed by Python 3.11.
    for (value, expected) in [
        (json!(null), "None"),
        (json!(true), "True"),
        (json!(17), "17"),
        (json!(1.0), "1.0"),
        (json!(0.1), "0.1"),
        (json!(1e16), "1e+16"),
        (json!(123_456_789.5), "123456789.5"),
        (json!(0.000_01), "1e-05"),
        (json!("it's"), "it's"),
        (json!(["it's", "a\n", 1.5, null]), r#"["it's", 'a\n', 1.5, None]"#),
        (json!({"a": {"b": [false]}}), "{'a': {'b': [False]}}"),
    ] {
        assert_eq!(text(&value), expected);
    }
}

#[test]
fn equality_looks_at_worth_and_order_at_kind() {
    for (left, right, expected) in [
        (json!(1), json!(1.0), true),
        (json!(1), json!(true), true),
        (json!(0), json!(false), true),
        (json!("1"), json!(1), false),
        (json!(null), json!(false), false),
        (json!([1, 2]), json!([1.0, 2.0]), true),
        (json!({"a": 1}), json!({"a": true}), true),
        (json!({"a": 1}), json!({"b": 1}), false),
        (json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992_u64), false),
    ] {
        assert_eq!(equal(&left, &right), expected, "{left} {right}");
    }
    assert_eq!(compare(&json!("a"), &json!("b")), Some(Ordering::Less));
    assert_eq!(compare(&json!([1, 3]), &json!([1, 2, 9])), Some(Ordering::Greater));
    assert_eq!(compare(&json!(true), &json!(0.5)), Some(Ordering::Greater));
    assert_eq!(compare(&json!("1"), &json!(1)), None);
    assert_eq!(compare(&json!(null), &json!(1)), None);
}

#[test]
fn what_is_empty_is_false() {
    for value in [json!(null), json!(0), json!(0.0), json!(""), json!([]), json!({}), json!(false)]
    {
        assert!(!truthy(&value), "{value}");
    }
    for value in [json!(" "), json!([0]), json!({"a": null}), json!(-1)] {
        assert!(truthy(&value), "{value}");
    }
}
