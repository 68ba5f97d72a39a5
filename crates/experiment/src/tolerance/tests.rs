use serde_json::{Value, json};

use super::{Judgement, judge};
use crate::substitution::Variables;

#[track_caller]
fn check(tolerance: Value, output: Value, met: bool) {
    let judged = judge(&tolerance, &output, &Variables::default());
    assert_eq!(judged == Judgement::Met, met, "{tolerance} of {output}: {judged:?}");
}

#[test]
fn scalars_are_strict_and_look_at_a_status_only_as_numbers() {
    check(json!(6), json!(6), true);
    check(json!(6), json!(7), false);
    check(json!(6), json!("6"), false);
    check(json!(0), json!({"status": 0, "stdout": ""}), true);
    check(json!(200), json!({"status": 404}), false);
    check(json!(1), json!(true), true);
    check(json!("hello"), json!("hello"), true);
    check(json!("hello"), json!({"status": "hello"}), false);
    check(json!(true), json!(true), true);
    check(json!(true), json!({"status": true}), false);
    check(json!(0.5), json!(0.5), false);
    check(json!(null), json!(null), false);
}

#[test]
fn two_values_are_a_range_and_others_a_set() {
    check(json!([5, 7]), json!(6), true);
    check(json!([5, 7]), json!(5), true);
    check(json!([5, 7]), json!(8), false);
    check(json!([5.5, 7]), json!(5.5), true);
    check(json!([5, 6, 7]), json!(6.0), true);
    check(json!([5, 6, 7]), json!(8), false);
    check(json!([1]), json!(1), true);
    check(json!([]), json!(1), false);
    check(json!(["a", "c"]), json!("b"), true);
    check(json!([1, 2]), json!("b"), false);
    // With a status, two values are a set as well.
    check(json!([200, 204]), json!({"status": 204}), true);
    check(json!([200, 204]), json!({"status": 201}), false);
}

#[test]
fn patterns_look_at_a_target_or_the_output() {
    check(json!({"type": "regex", "pattern": "[0-9]{2}"}), json!("you are number 87"), true);
    check(json!({"type": "regex", "pattern": "[0-9]{2}"}), json!("you are number 8"), false);
    let rule = json!({"type": "regex", "target": "stdout", "pattern": "^ok$"});
    check(rule.clone(), json!({"status": 0, "stdout": "ok\n"}), true);
    check(rule.clone(), json!({"status": 0, "stderr": "ok"}), false);
    check(rule, json!("ok"), false);
    check(json!({"type": "regex", "pattern": "1"}), json!(1), false);
}

#[test]
fn paths_count_and_expect() {
    let document = json!({"foo": [{"baz": "hello"}, {"baz": "bonjour"}]});
    let rule = |more: Value| {
        let mut rule = json!({"type": "jsonpath", "path": "$.foo[*].baz"});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rule
    };
    check(rule(json!({})), document.clone(), true);
    check(rule(json!({"count": 2})), document.clone(), true);
    check(rule(json!({"count": 1})), document.clone(), false);
    check(rule(json!({"expect": ["hello", "bonjour"]})), document.clone(), true);
    check(rule(json!({"expect": "hello"})), document.clone(), false);
    check(rule(json!({"expect": ["hello", "bonjour"], "count": 1})), document.clone(), true);
    check(rule(json!({})), json!({"foo": []}), false);
    check(rule(json!({"target": "body"})), json!({"body": document.to_string()}), true);
    check(rule(json!({"target": "stdout"})), json!({"stdout": document.to_string()}), true);
    check(rule(json!({})), json!("no document"), false);
    let one = json!({"type": "jsonpath", "path": "$.a", "expect": null});
    check(one, json!({"a": null}), true);
}

#[test]
fn a_range_takes_texts_that_are_numbers() {
    let rule = |low: f64, high: f64| json!({"type": "range", "range": [low, high]});
    check(rule(5.0, 7.0), json!(6), true);
    check(rule(5.0, 7.0), json!("6.5"), true);
    check(rule(5.0, 7.0), json!(7.1), false);
    check(rule(5.0, 7.0), json!("jane"), false);
    check(rule(5.0, 7.0), json!({}), false);
    check(rule(0.1, 0.3), json!("0.1"), false);
    let rule = json!({"type": "range", "range": [5, 7], "target": "body"});
    check(rule, json!({"status": 200, "body": "6\n"}), true);
}

#[test]
fn variables_stand_in_patterns_paths_and_what_is_expected() {
    let mut variables = Variables::default();
    variables.configuration.insert("name".to_owned(), json!("jane"));
    variables.configuration.insert("list".to_owned(), json!(["jane"]));
    for (tolerance, output) in [
        (json!({"type": "regex", "pattern": "^${name}$"}), json!("jane")),
        (json!({"type": "jsonpath", "path": "$.${name}"}), json!({"jane": 1})),
        (json!({"type": "jsonpath", "path": "$.a", "expect": "${name}"}), json!({"a": "jane"})),
        (json!({"type": "jsonpath", "path": "$.a", "expect": "${list}"}), json!({"a": "jane"})),
    ] {
        assert_eq!(judge(&tolerance, &output, &variables), Judgement::Met, "{tolerance}");
    }
}

#[test]
fn a_probe_is_asked_with_the_output_as_value() {
    let probe = json!({"type": "probe", "name": "p", "provider": {"type": "http", "url": "u", "arguments": {"a": 1}}});
    let Judgement::Ask(activity) = judge(&probe, &json!(6), &Variables::default()) else {
        panic!("is to be asked")
    };
    assert_eq!(activity["provider"]["arguments"], json!({"a": 1, "value": 6}));
    check(json!({"type": "probe", "provider": {"arguments": "text"}}), json!(6), false);
}
