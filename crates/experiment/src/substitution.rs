//! `${name}` in an experiment becomes the value of that name in configuration or secrets.
//!
//! As Chaos Toolkit has it: a text that is nothing but `${name}` becomes the value with its type, any
//! other becomes text; `$name` means the same as `${name}`, `$$` is a dollar sign, and what has no value
//! stays as it is. Names of members are left alone.

use serde_json::{Map, Value};

use crate::python;

/// Values by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variables {
    /// Configuration. It goes before secrets of the same name.
    pub configuration: Map<String, Value>,
    /// Secrets, by group.
    pub secrets: Map<String, Value>,
}

impl Variables {
    fn get(&self, name: &str) -> Option<&Value> {
        self.configuration.get(name).or_else(|| {
            self.secrets.values().filter_map(Value::as_object).find_map(|group| group.get(name))
        })
    }

    /// Whether there are none, so that even `$$` is left alone where Chaos Toolkit does so.
    pub(crate) fn is_empty(&self) -> bool {
        self.configuration.is_empty() && self.secrets.is_empty()
    }

    /// `value` with everything in it substituted.
    pub fn substitute(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.substitute_text(text),
            Value::Array(items) => items.iter().map(|item| self.substitute(item)).collect(),
            Value::Object(members) => {
                let pair =
                    |(name, value): (&String, &Value)| (name.clone(), self.substitute(value));
                Value::Object(members.iter().map(pair).collect())
            }
            other => other.clone(),
        }
    }

    /// As [`substitute`](Self::substitute), for places that Chaos Toolkit leaves alone when there is
    /// neither configuration nor a secret.
    pub(crate) fn substitute_if_any(&self, value: &Value) -> Value {
        if self.is_empty() { value.clone() } else { self.substitute(value) }
    }

    fn substitute_text(&self, text: &str) -> Value {
        if let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))
            && is_name(name)
            && let Some(value) = self.get(name)
        {
            return value.clone();
        }
        let mut substituted = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            substituted.push_str(&rest[..at]);
            let placeholder = Placeholder::at(&rest[at..]);
            let (whole, after) = rest[at..].split_at(placeholder.length);
            match placeholder.name {
                Name::Dollar => substituted.push('$'),
                Name::Of(name) => match self.get(name) {
                    Some(value) => substituted.push_str(&python::text(value)),
                    None => substituted.push_str(whole),
                },
                Name::None => substituted.push_str(whole),
            }
            rest = after;
        }
        substituted.push_str(rest);
        Value::String(substituted)
    }
}

enum Name<'t> {
    /// `$$`
    Dollar,
    Of(&'t str),
    /// A dollar sign that means nothing.
    None,
}

struct Placeholder<'t> {
    /// Bytes.
    length: usize,
    name: Name<'t>,
}

impl<'t> Placeholder<'t> {
    /// `text` begins with a dollar sign.
    fn at(text: &'t str) -> Self {
        let rest = &text[1..];
        if rest.starts_with('$') {
            return Self { length: 2, name: Name::Dollar };
        }
        if let Some(braced) = rest.strip_prefix('{') {
            let name = braced.split_once('}').map(|(name, _)| name).filter(|name| is_name(name));
            if let Some(name) = name {
                return Self { length: name.len() + 3, name: Name::Of(name) };
            }
        }
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let name = &rest[..end.unwrap_or(rest.len())];
        if is_name(name) {
            return Self { length: name.len() + 1, name: Name::Of(name) };
        }
        Self { length: 1, name: Name::None }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Variables;

    fn variables(configuration: Value, secrets: Value) -> Variables {
        let map = |value: Value| value.as_object().cloned().unwrap_or_default();
        Variables { configuration: map(configuration), secrets: map(secrets) }
    }

    #[test]
    fn a_text_that_is_one_placeholder_takes_the_type_of_its_value() {
        let variables = variables(
            json!({"port": 8080, "host": "a", "flag": true, "ratio": 0.5, "list": [1, "b"]}),
            json!({"group": {"token": "t", "host": "secret"}, "plain": "text"}),
        );
        for (text, expected) in [
            ("${port}", json!(8080)),
            ("${flag}", json!(true)),
            ("${list}", json!([1, "b"])),
            ("${host}", json!("a")),
            ("${token}", json!("t")),
            ("$port", json!("8080")),
            ("http://${host}:${port}/", json!("http://a:8080/")),
            ("is ${flag}, ${ratio}, ${list}", json!("is True, 0.5, [1, 'b']")),
            ("$$5 and $${host}", json!("$5 and ${host}")),
            ("${none} $none ${a.b} ${} 5$", json!("${none} $none ${a.b} ${} 5$")),
            ("$host$port", json!("a8080")),
            ("${host", json!("${host")),
        ] {
            assert_eq!(variables.substitute(&json!(text)), expected, "{text}");
        }
    }

    #[test]
    fn substitution_reaches_into_lists_and_mappings_but_not_names() {
        let variables = variables(json!({"a": 1}), json!({}));
        let value = json!({"${a}": ["${a}", {"b": "${a}", "c": null}], "d": 2});
        let expected = json!({"${a}": [1, {"b": 1, "c": null}], "d": 2});
        assert_eq!(variables.substitute(&value), expected);
    }

    #[test]
    fn without_variables_a_doubled_dollar_may_stay() {
        let none = Variables::default();
        assert_eq!(none.substitute(&json!("$$x")), json!("$x"));
        assert_eq!(none.substitute_if_any(&json!("$$x")), json!("$$x"));
    }
}
