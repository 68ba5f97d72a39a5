//! Tolerances of the hypothesis.

use serde_json::Value;

use super::Validator;
use crate::document::{Data, Located};
use crate::json_path::JsonPath;
use crate::tolerance::check_regex;

impl Validator<'_, '_> {
    pub(super) fn tolerance(&mut self, tolerance: &Located) {
        match &tolerance.data {
            Data::List(_) | Data::Scalar(Value::Bool(_) | Value::String(_)) => {}
            Data::Scalar(Value::Number(number)) if !number.is_f64() => {}
            Data::Scalar(Value::Number(_)) => {
                self.report
                    .error(tolerance.span, "a decimal number is no tolerance")
                    .remedy("give a range: `{type: range, range: [0.9, 1.0]}`");
            }
            Data::Scalar(_) => {
                self.report.error(tolerance.span, "this is no tolerance").expected = Some(
                    "whole number, text, truth value, list, or mapping with a `type`".to_owned(),
                );
            }
            Data::Map(_) => self.rule(tolerance),
        }
    }

    fn rule(&mut self, rule: &Located) {
        match rule.get("type").and_then(Located::text) {
            Some("probe") => self.judging_probe(rule),
            Some("regex") => self.pattern(rule),
            Some("jsonpath") => self.path(rule),
            Some("range") => self.range(rule),
            _ => {
                let span = rule.get("type").map_or(rule.span, |kind| kind.span);
                self.report.error(span, "a tolerance has one of these types").expected =
                    Some("`probe`, `regex`, `jsonpath` or `range`".to_owned());
            }
        }
    }

    fn judging_probe(&mut self, rule: &Located) {
        if self.activity(rule, false).is_none() {
            return;
        }
        let provider = rule.get("provider");
        let arguments = provider.and_then(|provider| provider.get("arguments"));
        if !arguments.is_some_and(Located::is_map) {
            let span = provider.map_or(rule.span, |provider| provider.span);
            self.report
                .error(span, "the probe that judges needs a mapping of arguments")
                .remedy("add `arguments: {}`; the output is put into it as `value`");
        }
        self.report
            .warning(rule.span, "this tolerance is met whenever its probe can be called")
            .remedy(
                "Chaos Toolkit looks at the truth of what the probe returns, and what a process or a \
                 server returns is never false: use `regex`, `jsonpath` or `range`",
            );
    }

    fn pattern(&mut self, rule: &Located) {
        let Some(pattern) = rule.get("pattern") else {
            self.report.error(rule.span, "a `regex` needs a `pattern`");
            return;
        };
        let checked = pattern.text().map(check_regex);
        match checked {
            Some(Ok(())) => {}
            Some(Err(reason)) => {
                self.report.error(pattern.span, format!("the pattern is wrong: {reason}"));
            }
            None => {
                self.report.error(pattern.span, "a pattern is a text").remedy("put it into quotes");
            }
        }
    }

    fn path(&mut self, rule: &Located) {
        let Some(path) = rule.get("path") else {
            self.report.error(rule.span, "a `jsonpath` needs a `path`");
            return;
        };
        let text = path.text().map_or("", str::trim);
        if text.is_empty() {
            self.report
                .error(path.span, "a path is a text that is not empty")
                .remedy("for instance `$.items[0].name`");
            return;
        }
        if let Err(error) = JsonPath::parse(text) {
            self.report.error(path.span, format!("the path is wrong {error}"));
        }
    }

    fn range(&mut self, rule: &Located) {
        let Some(range) = rule.get("range") else {
            self.report.error(rule.span, "a `range` needs a `range`");
            return;
        };
        let number =
            |item: &Located| matches!(item.data, Data::Scalar(Value::Number(_) | Value::Bool(_)));
        if range.items().len() != 2 || !range.items().iter().all(number) {
            self.report
                .error(range.span, "a range is a list of two numbers")
                .remedy("for instance `range: [0.9, 1.0]`");
        }
    }
}
