//! JSON text to messages, with a place for each error.
//!
//! The mapping is that of protobuf (<https://protobuf.dev/programming-guides/json>): names as in the
//! `.proto` file or in camel case, 64-bit numbers also as text, bytes as base64. An unknown field is
//! an error, for it is nearly always a typing error.

use std::fmt;

use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde::de::{DeserializeSeed, SeqAccess, Visitor};

/// Messages in one text, at most.
const MESSAGES_MAX: usize = 100_000;

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}line {line}, column {column}: {reason}", at(.path))]
pub struct JsonError {
    /// Where in the document, as `[1].user.name`; empty: at its top.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// From 1; 0: before the first character of the line.
    pub column: usize,
    /// What is wrong.
    pub reason: String,
}

fn at(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("`{path}`, ") }
}

/// Reads one message, or a list of them.
pub(crate) fn read(text: &str, kind: &MessageDescriptor) -> Result<Vec<DynamicMessage>, JsonError> {
    if text.trim_start().starts_with('[') {
        read_with(text, List(kind))
    } else {
        read_with(text, kind.clone()).map(|message| vec![message])
    }
}

fn read_with<'de, T>(
    text: &'de str,
    seed: impl DeserializeSeed<'de, Value = T>,
) -> Result<T, JsonError> {
    let mut source = serde_json::Deserializer::from_str(text);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut source, &mut track);
    let value = seed.deserialize(tracked).map_err(|error| {
        let path = track.path().to_string();
        json_error(if path == "." { String::new() } else { path }, &error)
    })?;
    source.end().map_err(|error| json_error(String::new(), &error))?;
    Ok(value)
}

fn json_error(path: String, error: &serde_json::Error) -> JsonError {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let place = format!(" at line {line} column {column}");
    let reason = text.strip_suffix(&place).unwrap_or(&text).to_owned();
    JsonError { path, line, column, reason }
}

/// A list of messages of one type.
struct List<'a>(&'a MessageDescriptor);

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = Vec<DynamicMessage>;

    fn deserialize<D: serde::Deserializer<'de>>(self, source: D) -> Result<Self::Value, D::Error> {
        source.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = Vec<DynamicMessage>;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(text, "a list of messages of type `{}`", self.0.full_name())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut messages = Vec::new();
        while let Some(message) = list.next_element_seed(self.0.clone())? {
            if messages.len() == MESSAGES_MAX {
                return Err(serde::de::Error::custom("more than 100000 messages"));
            }
            messages.push(message);
        }
        Ok(messages)
    }
}
