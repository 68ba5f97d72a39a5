//! Operations: path, query, headers and right statuses.

use std::time::Duration;

use bulkhead_load::Class;
use bulkhead_message::{is_field_value, is_token};
use serde_json::Value;

use super::OpenApiOptions;
use super::body::body;
use super::document::Document;
use super::sample::{self, Sample};
use crate::build::OWN_FIELDS;
use crate::expectation::{Expectation, text_of};
use crate::format::REQUESTS_MAX;
use crate::plan::{Body, Field, Journey, Plan, Step};
use crate::recording::{Methods, Skipped};
use crate::settings::TargetSettings;
use crate::template::{Part, Scope, Template, percent_encode, salt_of};

const METHODS: [&str; 7] = ["get", "head", "options", "post", "put", "patch", "delete"];
/// Of these, the first three change nothing (RFC 9110 §9.2.1).
const SAFE: usize = 3;
/// Largest `x-weight`.
const WEIGHT_MAX: u64 = 1_000_000;
/// Items of a list in a query.
const ITEMS_MAX: usize = 16;

/// Every operation that can be sent.
pub(super) fn plan(
    document: &Document,
    target: &TargetSettings,
    options: &OpenApiOptions,
) -> (Plan, Skipped) {
    let (mut plan, mut skipped) = (Plan::default(), Skipped::default());
    let methods = match options.methods {
        Methods::Safe => &METHODS[..SAFE],
        Methods::All => &METHODS[..],
    };
    for (path, item) in document.root()["paths"].as_object().into_iter().flatten() {
        let Some(item) = document.resolve(item) else {
            skipped.add(path, "it refers to what is not in the file");
            continue;
        };
        for method in methods {
            let Some(operation) = item.get(*method) else { continue };
            let name = format!("{} {path}", method.to_ascii_uppercase());
            let builder = Builder { document, target, item, operation };
            match builder.journey(method, path, options) {
                Ok(_) if plan.classes().len() == REQUESTS_MAX => {
                    skipped.add(&name, "there are more than 4096 operations");
                }
                Ok(journey) => {
                    let weight = operation["x-weight"].as_u64().unwrap_or(1).clamp(1, WEIGHT_MAX);
                    let id = operation["operationId"].as_str().unwrap_or(&name);
                    let taken = plan.classes().iter().any(|class| class.name == id);
                    let class = if taken { name } else { id.to_owned() };
                    plan.push(weight, journey, vec![Class { name: class, target: 0 }]);
                }
                Err(reason) => skipped.add(&name, &reason),
            }
        }
    }
    (plan, skipped)
}

struct Builder<'a> {
    document: &'a Document,
    target: &'a TargetSettings,
    item: &'a Value,
    operation: &'a Value,
}

impl<'a> Builder<'a> {
    fn journey(
        &self,
        method: &str,
        path: &str,
        options: &OpenApiOptions,
    ) -> Result<Journey, String> {
        let parameters = self.parameters()?;
        let mut scope = Scope::new(&[], &[]);
        let mut target = self.path(path, &parameters, &mut scope)?;
        self.query(&parameters, &mut scope, &mut target)?;
        let mut fields = self.fields(&parameters, &mut scope)?;
        let body = body(self.document, self.operation, &mut scope)?;
        let body = body.map_or_else(Template::default, |(kind, template)| {
            fields.push(Field::new("content-type", Template::literal(kind)));
            template
        });
        for (name, value) in &options.fields {
            fields.retain(|field| field.name != name.as_bytes());
            fields.push(Field::new(name, Template::literal(value.as_str())));
        }
        let endpoint = &self.target.endpoint;
        let step = Step {
            class: 0,
            method: method.to_ascii_uppercase(),
            scheme: endpoint.scheme(),
            authority: Template::literal(endpoint.authority.as_str()),
            path: Template::new(target),
            fields,
            body: Body::Template(body),
            expect: Expectation { statuses: self.statuses(), ..Expectation::default() },
            extract: Vec::new(),
            think: Duration::ZERO,
        };
        Ok(Journey { variables: scope.variables, extracted: 0, steps: vec![step] })
    }

    /// Those of the operation go before those of its path.
    fn parameters(&self) -> Result<Vec<&'a Value>, String> {
        let mut parameters: Vec<&Value> = Vec::new();
        for holder in [self.operation, self.item] {
            for parameter in holder["parameters"].as_array().into_iter().flatten() {
                let parameter = self
                    .document
                    .resolve(parameter)
                    .ok_or("a parameter refers to what is not in the file")?;
                let same = |other: &&Value| {
                    other["name"] == parameter["name"] && other["in"] == parameter["in"]
                };
                if !parameters.iter().any(same) {
                    parameters.push(parameter);
                }
            }
        }
        Ok(parameters)
    }

    fn path(
        &self,
        path: &str,
        parameters: &[&'a Value],
        scope: &mut Scope<'_>,
    ) -> Result<Vec<Part>, String> {
        if !path.starts_with('/') {
            return Err("its path does not begin with `/`".to_owned());
        }
        let mut text = self.target.base.clone().into_bytes();
        let (mut parts, mut rest) = (Vec::new(), path);
        while let Some((before, after)) = rest.split_once('{') {
            text.extend(before.bytes().flat_map(path_byte));
            let (name, after) = after.split_once('}').ok_or("its path has a `{` without `}`")?;
            let parameter = parameters
                .iter()
                .find(|parameter| parameter["in"] == "path" && parameter["name"] == name)
                .ok_or_else(|| format!("the parameter `{name}` of its path is not described"))?;
            push_text(&mut parts, &mut text);
            self.values(parameter, scope)?.remove(0).push_to(&mut parts);
            rest = after;
        }
        text.extend(rest.bytes().flat_map(path_byte));
        push_text(&mut parts, &mut text);
        Ok(parts)
    }

    fn query(
        &self,
        parameters: &[&'a Value],
        scope: &mut Scope<'_>,
        target: &mut Vec<Part>,
    ) -> Result<(), String> {
        let mut separator = b'?';
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
            if !self.is_wanted(parameter) {
                continue;
            }
            let name = percent_encode(parameter["name"].as_str().unwrap_or(""));
            for value in self.values(parameter, scope)? {
                let text = [&[separator][..], &name, b"="].concat();
                target.push(Part::Text(text));
                value.push_to(target);
                separator = b'&';
            }
        }
        Ok(())
    }

    fn fields(
        &self,
        parameters: &[&'a Value],
        scope: &mut Scope<'_>,
    ) -> Result<Vec<Field>, String> {
        let mut fields = Vec::new();
        for parameter in parameters.iter().filter(|parameter| self.is_wanted(parameter)) {
            let name = parameter["name"].as_str().unwrap_or("");
            let lower = name.to_ascii_lowercase();
            let mut parts = Vec::new();
            match parameter["in"].as_str() {
                Some("header") if is_token(lower.as_bytes()) && !is_own(&lower) => {}
                Some("cookie") if is_token(name.as_bytes()) => {
                    parts.push(Part::Text(format!("{name}=").into_bytes()));
                }
                _ => continue,
            }
            let value = self.values(parameter, scope)?.remove(0);
            value.push_to(&mut parts);
            let value = Template::new(parts);
            if !value.texts().all(is_field_value) {
                return Err(format!("the value of the header `{name}` cannot be sent"));
            }
            let cookie = parameter["in"] == "cookie";
            fields.push(Field::new(if cookie { "cookie" } else { &lower }, value));
        }
        Ok(fields)
    }

    /// Required ones, and those that come with a value.
    fn is_wanted(&self, parameter: &Value) -> bool {
        parameter["required"].as_bool() == Some(true)
            || ["example", "examples"].iter().any(|key| parameter.get(key).is_some())
    }

    /// The value of a parameter; several for a list. Never empty.
    fn values(&self, parameter: &Value, scope: &mut Scope<'_>) -> Result<Vec<Filled>, String> {
        let name = parameter["name"].as_str().unwrap_or("");
        let place = parameter["in"].as_str().unwrap_or("");
        let encoded = matches!(place, "path" | "query");
        let lost = || format!("the parameter `{name}` refers to what is not in the file");
        let mut schema = self
            .document
            .resolve(parameter.get("schema").unwrap_or(&Value::Null))
            .ok_or_else(lost)?;
        let mut sample = sample::given(parameter, self.document)
            .or_else(|| sample::given(schema, self.document));
        if sample.is_none() {
            for key in ["oneOf", "anyOf", "allOf"] {
                if let Some(first) = schema[key].get(0) {
                    schema = self.document.resolve(first).ok_or_else(lost)?;
                }
            }
            if sample::type_of(schema) == "array" {
                schema = self.document.resolve(&schema["items"]).ok_or_else(lost)?;
            }
            sample = sample::given(schema, self.document);
        }
        let sample = match sample {
            Some(sample) => sample,
            None if sample::type_of(schema) == "object" => {
                return Err(format!("the parameter `{name}` is an object without an example"));
            }
            None => sample::single(schema),
        };
        let text = |value: &Value| {
            let text = text_of(value);
            Filled::Text(if encoded { percent_encode(&text) } else { text.as_bytes().to_vec() })
        };
        match sample {
            Sample::Fixed(Value::Object(_)) => {
                Err(format!("the parameter `{name}` is an object, which is not written yet"))
            }
            Sample::Fixed(Value::Array(items)) if !items.is_empty() => {
                Ok(items.iter().take(ITEMS_MAX).map(text).collect())
            }
            Sample::Fixed(value) => Ok(vec![text(&value)]),
            Sample::Bare(draw) | Sample::Text(draw) => {
                let variable = format!("{place}.{name}");
                Ok(vec![Filled::Variable(scope.declare(&variable, salt_of(&variable), draw)?)])
            }
        }
    }

    /// Declared ones below 400; any 2xx where there are none.
    fn statuses(&self) -> Vec<(u16, u16)> {
        let responses = self.operation["responses"].as_object().into_iter().flatten();
        let declared: Vec<(u16, u16)> = responses
            .filter_map(|(code, _)| match code.as_str() {
                "2XX" | "2xx" => Some((200, 299)),
                "3XX" | "3xx" => Some((300, 399)),
                code => code.parse().ok().map(|code: u16| (code, code)),
            })
            .filter(|(low, _)| (200..400).contains(low))
            .collect();
        if declared.is_empty() { Expectation::default().statuses } else { declared }
    }
}

/// A value, written or to be drawn.
enum Filled {
    Text(Vec<u8>),
    Variable(usize),
}

impl Filled {
    fn push_to(self, parts: &mut Vec<Part>) {
        parts.push(match self {
            Self::Text(text) => Part::Text(text),
            Self::Variable(variable) => Part::Variable(variable),
        });
    }
}

/// What is set elsewhere, or must not be ours (OpenAPI 3.1 §4.8.12.2.1).
fn is_own(name: &str) -> bool {
    OWN_FIELDS.contains(&name)
        || ["accept", "content-type", "authorization", "host"].contains(&name)
}

fn push_text(parts: &mut Vec<Part>, text: &mut Vec<u8>) {
    if !text.is_empty() {
        parts.push(Part::Text(std::mem::take(text)));
    }
}

/// The byte, percent-encoded if it may not stand in a path.
fn path_byte(byte: u8) -> Vec<u8> {
    if byte.is_ascii_graphic() && !b"?#\"<>\\^`|".contains(&byte) {
        vec![byte]
    } else {
        format!("%{byte:02X}").into_bytes()
    }
}
