//! A description as a tree of JSON, and its references.

use bulkhead_config::document::{Kind, Node, tree};
use serde_json::{Number, Value};

use super::{OPENAPI_BYTES_MAX, OpenApiError};
use crate::har::json_reason;

/// References that follow one another at most.
const HOPS_MAX: usize = 32;

#[derive(Debug)]
pub(super) struct Document {
    root: Value,
}

impl Document {
    pub(super) fn parse(text: &str, file: &str) -> Result<Self, OpenApiError> {
        if text.len() > OPENAPI_BYTES_MAX {
            return Err(OpenApiError::Large { file: file.to_owned() });
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let root = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|fault| OpenApiError::Json {
                file: file.to_owned(),
                line: fault.line(),
                column: fault.column(),
                reason: json_reason(&fault),
            })?
        } else {
            json(&tree(text, file).map_err(OpenApiError::Yaml)?)
        };
        Ok(Self { root })
    }

    pub(super) const fn root(&self) -> &Value {
        &self.root
    }

    /// The value itself, or what it refers to. `None`: a circle, another file, or nothing.
    pub(super) fn resolve<'a>(&'a self, mut value: &'a Value) -> Option<&'a Value> {
        for _ in 0..HOPS_MAX {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
                return Some(value);
            };
            value = self.root.pointer(&unescape(reference.strip_prefix('#')?))?;
        }
        None
    }

    /// URL of the first server, its variables filled in; `/` without servers.
    pub(super) fn server_url(&self) -> String {
        let Some(server) = self.root["servers"].get(0) else { return "/".to_owned() };
        let mut url = server["url"].as_str().unwrap_or("/").to_owned();
        for (name, variable) in server["variables"].as_object().into_iter().flatten() {
            let default = variable["default"].as_str().unwrap_or("");
            url = url.replace(&format!("{{{name}}}"), default);
        }
        url
    }
}

/// Of the percent-encoding of a fragment, what names of paths need.
fn unescape(pointer: &str) -> String {
    pointer.replace("%7B", "{").replace("%7D", "}").replace("%2F", "/").replace("%20", " ")
}

/// The tree as JSON, scalars as YAML's core schema reads them.
fn json(node: &Node) -> Value {
    match node.kind() {
        Kind::Scalar { .. } if node.is_null() => Value::Null,
        Kind::Scalar { text, plain: true } => plain(text),
        Kind::Scalar { text, .. } => Value::String(text.clone()),
        Kind::Sequence(items) => items.iter().map(json).collect(),
        Kind::Mapping(entries) => {
            let name = |key: &Node| match key.kind() {
                Kind::Scalar { text, .. } => text.clone(),
                _ => String::new(),
            };
            Value::Object(entries.iter().map(|(key, value)| (name(key), json(value))).collect())
        }
    }
}

fn plain(text: &str) -> Value {
    match text {
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if let Ok(number) = text.parse::<i64>() {
        return Value::Number(number.into());
    }
    let numeric = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_digit());
    let number = text.parse::<f64>().ok().filter(|_| numeric).and_then(Number::from_f64);
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}
