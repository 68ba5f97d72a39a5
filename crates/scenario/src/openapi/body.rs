//! The body of a request: the example of its media type, or the smallest value that its schema allows.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::Document;
use super::sample::{self, Sample};
use crate::template::{Draw, Part, Scope, Template, salt_of};

/// Levels of a body that is made up; schemas may refer to themselves.
const DEPTH_MAX: usize = 12;
/// Items of a list that is made up.
const ITEMS_MAX: u64 = 32;
/// Values of a body that is made up.
const VALUES_MAX: usize = 4_096;

/// The body and its content type. `Ok(None)`: there is none.
pub(super) fn body(
    document: &Document,
    operation: &Value,
    scope: &mut Scope<'_>,
) -> Result<Option<(String, Template)>, &'static str> {
    let Some(holder) = operation.get("requestBody") else { return Ok(None) };
    let holder = document.resolve(holder).ok_or("its body refers to what is not in the file")?;
    let required = holder["required"].as_bool().unwrap_or(false);
    let Some(content) = holder["content"].as_object() else { return Ok(None) };
    let is_json = |kind: &&String| {
        let kind = kind.split(';').next().unwrap_or("").trim();
        kind == "application/json" || kind.ends_with("+json") || kind == "*/*"
    };
    let Some((kind, media)) = content.iter().find(|(kind, _)| is_json(kind)) else {
        // Text can be sent as it is, if there is an example of it.
        let text = content.iter().find_map(|(kind, media)| {
            let Some(Sample::Fixed(Value::String(text))) = sample::given(media, document) else {
                return None;
            };
            Some((kind.clone(), Template::literal(text)))
        });
        return match text {
            Some(found) => Ok(Some(found)),
            None if required => Err("its body is neither JSON nor given as an example"),
            None => Ok(None),
        };
    };
    let kind = if kind == "*/*" { "application/json".to_owned() } else { kind.clone() };
    let mut writer = Writer { document, scope, parts: Vec::new(), text: Vec::new(), values: 0 };
    let written = match sample::given(media, document) {
        Some(sample) => writer.sample("body", sample),
        None => writer.schema(media.get("schema").unwrap_or(&Value::Null), "body", 0),
    };
    written.ok_or("its body is too large, refers to itself or to another file")?;
    Ok(Some((kind, writer.finish())))
}

type Properties<'a> = BTreeMap<String, &'a Value>;

/// Writes JSON with variables in it.
struct Writer<'a, 's, 'p> {
    document: &'a Document,
    scope: &'s mut Scope<'p>,
    parts: Vec<Part>,
    text: Vec<u8>,
    values: usize,
}

impl<'a> Writer<'a, '_, '_> {
    fn finish(mut self) -> Template {
        if !self.text.is_empty() {
            self.parts.push(Part::Text(self.text));
        }
        Template::new(self.parts)
    }

    /// `None`: it cannot be made.
    fn schema(&mut self, schema: &'a Value, path: &str, depth: usize) -> Option<()> {
        self.values += 1;
        if depth > DEPTH_MAX || self.values > VALUES_MAX {
            return None;
        }
        let schema = self.document.resolve(schema)?;
        if let Some(sample) = sample::given(schema, self.document) {
            return self.sample(path, sample);
        }
        for key in ["oneOf", "anyOf"] {
            // The first that can be made: another may refer to itself.
            if let Some(choices) = schema[key].as_array().filter(|choices| !choices.is_empty()) {
                return choices.iter().find_map(|choice| self.attempt(choice, path, depth + 1));
            }
        }
        match sample::type_of(schema) {
            "object" => self.object(schema, path, depth),
            "array" => self.array(schema, path, depth),
            _ => self.sample(path, sample::single(schema)),
        }
    }

    /// As [`Self::schema`], without a trace if it fails.
    fn attempt(&mut self, schema: &'a Value, path: &str, depth: usize) -> Option<()> {
        let (parts, text) = (self.parts.len(), self.text.clone());
        let made = self.schema(schema, path, depth);
        if made.is_none() {
            self.parts.truncate(parts);
            self.text = text;
        }
        made
    }

    fn object(&mut self, schema: &'a Value, path: &str, depth: usize) -> Option<()> {
        let (mut properties, mut required) = (Properties::new(), Vec::new());
        self.gather(schema, &mut properties, &mut required, depth)?;
        self.text.push(b'{');
        let mut first = true;
        for name in required {
            let Some(property) = properties.get(&name).copied() else { continue };
            let resolved = self.document.resolve(property)?;
            if resolved["readOnly"].as_bool() == Some(true) {
                continue;
            }
            if !std::mem::take(&mut first) {
                self.text.push(b',');
            }
            self.text.extend_from_slice(Value::from(name.as_str()).to_string().as_bytes());
            self.text.push(b':');
            self.schema(property, &format!("{path}.{name}"), depth + 1)?;
        }
        self.text.push(b'}');
        Some(())
    }

    /// Properties and names of required ones, with those of all parts.
    fn gather(
        &self,
        schema: &'a Value,
        properties: &mut Properties<'a>,
        required: &mut Vec<String>,
        depth: usize,
    ) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        let schema = self.document.resolve(schema)?;
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.gather(part, properties, required, depth + 1)?;
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            properties.insert(name.clone(), property);
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !required.iter().any(|known| known == name) {
                required.push(name.to_owned());
            }
        }
        Some(())
    }

    fn array(&mut self, schema: &'a Value, path: &str, depth: usize) -> Option<()> {
        let least = schema["minItems"].as_u64().unwrap_or(0);
        if least > ITEMS_MAX {
            return None;
        }
        let most = schema["maxItems"].as_u64().unwrap_or(u64::MAX);
        let Some(items) = schema.get("items").filter(|_| most > 0) else {
            self.text.extend_from_slice(b"[]");
            return Some(());
        };
        self.text.push(b'[');
        for index in 0..least.max(1) {
            if index > 0 {
                self.text.push(b',');
            }
            let made = self.attempt_item(items, &format!("{path}[{index}]"), depth, least);
            made?;
        }
        self.text.push(b']');
        Some(())
    }

    /// An item that nobody requires may stay away.
    fn attempt_item(
        &mut self,
        items: &'a Value,
        path: &str,
        depth: usize,
        least: u64,
    ) -> Option<()> {
        let made = self.attempt(items, path, depth + 1);
        if least == 0 { Some(()) } else { made }
    }

    fn sample(&mut self, path: &str, sample: Sample) -> Option<()> {
        match sample {
            Sample::Fixed(value) => {
                self.text.extend_from_slice(value.to_string().as_bytes());
                Some(())
            }
            Sample::Bare(draw) => self.variable(path, draw),
            Sample::Text(Draw::Choice(texts)) => {
                // With their quotes, and what needs escapes escaped.
                let quoted = texts.iter().map(|text| Value::from(text.as_str()).to_string());
                self.variable(path, Draw::Choice(quoted.collect()))
            }
            Sample::Text(draw) => {
                self.text.push(b'"');
                self.variable(path, draw)?;
                self.text.push(b'"');
                Some(())
            }
        }
    }

    fn variable(&mut self, path: &str, draw: Draw) -> Option<()> {
        let variable = self.scope.declare(path, salt_of(path), draw).ok()?;
        if !self.text.is_empty() {
            self.parts.push(Part::Text(std::mem::take(&mut self.text)));
        }
        self.parts.push(Part::Variable(variable));
        Some(())
    }
}
