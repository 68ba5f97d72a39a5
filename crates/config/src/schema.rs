//! The declared format as JSON Schema 2020-12, for editors and for other tools that check files.
//!
//! The schema knows the form only: that names refer to something, that patterns compile and the
//! like is [`crate::parse`]'s to say.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::format::{FILE, Key, Need, Rule, Shape, Table, visit_tables};
use crate::scalar::Scalar;

/// JSON Schema (draft 2020-12) of the configuration file.
pub fn schema() -> Value {
    schema_of(&FILE, "Bulkhead configuration")
}

/// JSON Schema (draft 2020-12) of a declared format.
pub fn schema_of(file: &'static Table, title: &str) -> Value {
    let mut tables: BTreeMap<&str, Value> = BTreeMap::new();
    visit_tables(file, &mut |path, table| {
        if !path.is_empty() {
            tables.entry(table.name).or_insert_with(|| table_schema(table));
        }
    });
    let mut root = Map::new();
    root.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    root.insert("title".into(), json!(title));
    if let Value::Object(file) = table_schema(file) {
        root.extend(file);
    }
    root.insert("$defs".into(), json!(tables));
    Value::Object(root)
}

fn table_schema(table: &Table) -> Value {
    let required: Vec<&str> =
        table.keys.iter().filter(|key| key.need == Need::Required).map(|key| key.name).collect();
    let properties: Map<String, Value> =
        table.keys.iter().map(|key| (key.name.to_owned(), key_schema(key))).collect();
    let mut schema = json!({
        "type": "object",
        "description": table.about,
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    for rule in table.rules {
        let (word, names) = match rule {
            Rule::ExactlyOne(names) => ("oneOf", names),
            Rule::AtLeastOne(names) => ("anyOf", names),
        };
        let each: Vec<Value> = names.iter().map(|name| json!({ "required": [name] })).collect();
        schema[word] = json!(each);
    }
    schema
}

fn key_schema(key: &Key) -> Value {
    let mut schema = shape_schema(&key.shape);
    schema["description"] = json!(key.about);
    if let Need::Default(text) = key.need {
        schema["default"] = default_value(text);
    }
    schema
}

/// A declared default as JSON.
fn default_value(text: &str) -> Value {
    match text {
        "{}" => json!({}),
        "[{}]" => json!([{}]),
        "[]" => json!([]),
        _ => match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            Some(list) => list.split(", ").map(default_value).collect(),
            None => match text.parse::<u64>() {
                Ok(number) => json!(number),
                Err(_) => text.parse::<bool>().map_or_else(|_| json!(text), |flag| json!(flag)),
            },
        },
    }
}

fn shape_schema(shape: &Shape) -> Value {
    match *shape {
        Shape::Scalar(scalar) => scalar_schema(scalar),
        Shape::Table(table) => json!({ "$ref": format!("#/$defs/{}", table.name) }),
        Shape::List { item, min: 0 } => json!({ "type": "array", "items": shape_schema(item) }),
        Shape::List { item, min } => {
            json!({ "type": "array", "items": shape_schema(item), "minItems": min })
        }
        Shape::Map { key, value } => json!({
            "type": "object",
            "propertyNames": scalar_schema(key),
            "additionalProperties": shape_schema(value),
        }),
        Shape::Either(first, second) => {
            json!({ "anyOf": [shape_schema(first), shape_schema(second)] })
        }
        Shape::OrOff(inner) => {
            json!({ "anyOf": [shape_schema(inner), { "enum": ["off", false] }] })
        }
        Shape::Json => json!({ "type": ["object", "string"] }),
    }
}

fn scalar_schema(scalar: Scalar) -> Value {
    let pattern = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    match scalar {
        Scalar::Text | Scalar::HeaderValue => json!({ "type": ["string", "number", "boolean"] }),
        Scalar::Bool => json!({ "type": "boolean" }),
        Scalar::True => json!({ "const": true }),
        Scalar::Integer { min, max } => {
            json!({ "type": "integer", "minimum": min, "maximum": max })
        }
        Scalar::Decimal { min, max } => {
            json!({ "type": "number", "minimum": min, "maximum": max })
        }
        Scalar::Status(allowed) => json!({ "enum": allowed }),
        Scalar::Duration { min_ms, .. } => {
            let text = pattern("^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$");
            if min_ms == 0 { json!({ "anyOf": [text, { "const": 0 }] }) } else { text }
        }
        Scalar::Size { min, max } => json!({ "anyOf": [
            { "type": "integer", "minimum": min, "maximum": max },
            pattern("^[0-9]+ ?([KMGT]iB|[kMG]B|B)?$"),
        ] }),
        Scalar::Percent { .. } => pattern("^[0-9]+%$"),
        Scalar::Choice(allowed) => {
            // Unquoted, `1.2` is a number to whoever reads YAML by its types.
            let numbers = allowed.iter().filter_map(|word| word.parse::<f64>().ok());
            let words = allowed.iter().map(|word| json!(word));
            json!({ "enum": words.chain(numbers.map(|number| json!(number))).collect::<Vec<_>>() })
        }
        Scalar::Environment => pattern("^[A-Za-z_][A-Za-z0-9_]*$"),
        Scalar::Name => pattern("^[A-Za-z0-9._-]{1,128}$"),
        Scalar::Upgrade => pattern("^[!#$%&'*+.^_`|~0-9A-Za-z-]+(/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?$"),
        Scalar::CookieName | Scalar::HeaderName | Scalar::Method => {
            pattern("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
        }
        Scalar::Path | Scalar::Prefix | Scalar::PathText | Scalar::Template => pattern("^/"),
        Scalar::File => json!({ "type": "string", "minLength": 1 }),
        // Unquoted, it is a number to whoever reads YAML by its types.
        Scalar::FileMode => json!({
            "type": ["string", "integer"],
            "pattern": "^(0o)?[0-7]{3,4}$",
        }),
        Scalar::Address
        | Scalar::Network
        | Scalar::ListenAddress
        | Scalar::Endpoint
        | Scalar::Hostname
        | Scalar::Host
        | Scalar::ServerName
        | Scalar::Origin
        | Scalar::Regex => {
            json!({ "type": "string" })
        }
    }
}
