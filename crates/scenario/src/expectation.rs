//! What a right answer is. A body is parsed or hashed only where that is asked for.

use std::borrow::Cow;

use bulkhead_load::{Answer, Mismatch};
use bulkhead_message::Known;
use serde_json::Value;

use crate::json_path::JsonPath;
use crate::template::{Draws, Place, Template};

/// What must hold of an answer; all of it.
#[derive(Clone, Debug)]
pub(crate) struct Expectation {
    /// Ranges of right statuses, both ends included.
    pub(crate) statuses: Vec<(u16, u16)>,
    /// Whether it is an answer to a gRPC call, and its right status.
    pub(crate) grpc_status: Option<u8>,
    pub(crate) fields: Vec<(String, Template)>,
    pub(crate) json: Vec<(JsonPath, Template)>,
    pub(crate) body: Option<Template>,
    pub(crate) body_contains: Vec<Template>,
    pub(crate) body_sha256: Option<[u8; 32]>,
}

impl Default for Expectation {
    /// Any 2xx.
    fn default() -> Self {
        Self {
            statuses: vec![(200, 299)],
            grpc_status: None,
            fields: Vec::new(),
            json: Vec::new(),
            body: None,
            body_contains: Vec::new(),
            body_sha256: None,
        }
    }
}

/// The body of an answer as JSON, parsed when it is first asked for.
#[derive(Debug)]
pub(crate) struct JsonBody<'a> {
    bytes: &'a [u8],
    document: Option<Option<Value>>,
}

impl<'a> JsonBody<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, document: None }
    }

    /// `None`: it is no JSON.
    pub(crate) fn document(&mut self) -> Option<&Value> {
        let bytes = self.bytes;
        self.document.get_or_insert_with(|| serde_json::from_slice(bytes).ok()).as_ref()
    }
}

/// A JSON value as text: that of a string without quotes, of others as JSON writes them.
pub(crate) fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

impl Expectation {
    /// Whether an answer is right. `scratch` is memory to write to.
    ///
    /// # Errors
    /// The first thing that is wrong, head before body.
    pub(crate) fn check(
        &self,
        answer: &Answer<'_>,
        draws: &Draws<'_>,
        json: &mut JsonBody<'_>,
        scratch: &mut Vec<u8>,
    ) -> Result<(), Mismatch> {
        let status = answer.head.status;
        if !self.statuses.iter().any(|&(low, high)| (low..=high).contains(&status)) {
            return Err(Mismatch::Status);
        }
        if let Some(expected) = self.grpc_status {
            // An answer without messages may carry its status in the head.
            let in_head = || answer.head.fields.get(Known::GrpcStatus);
            let found = answer.trailers.get(Known::GrpcStatus).or_else(in_head);
            if found.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()) != Some(expected)
            {
                return Err(Mismatch::GrpcStatus);
            }
        }
        for (name, expected) in &self.fields {
            let expected = render(expected, draws, scratch);
            let found = answer.head.fields.get_named(name.as_bytes());
            if !found.is_some_and(|found| is_value(found, expected)) {
                return Err(Mismatch::Header);
            }
        }
        if let Some(expected) = &self.body
            && render(expected, draws, scratch) != answer.body
        {
            return Err(Mismatch::Body);
        }
        for expected in &self.body_contains {
            let expected = render(expected, draws, scratch);
            if !contains(answer.body, expected) {
                return Err(Mismatch::Body);
            }
        }
        for (path, expected) in &self.json {
            let expected = render(expected, draws, scratch);
            let found = json.document().and_then(|document| path.find(document));
            if found.is_none_or(|found| text_of(found).as_bytes() != expected) {
                return Err(Mismatch::Body);
            }
        }
        match self.body_sha256 {
            Some(expected) if sha256(answer.body) != expected => Err(Mismatch::Body),
            _ => Ok(()),
        }
    }
}

fn render<'s>(template: &Template, draws: &Draws<'_>, scratch: &'s mut Vec<u8>) -> &'s [u8] {
    scratch.clear();
    template.push(Place::Plain, draws, scratch);
    scratch
}

/// Whether a field has the value, parameters that were not asked for left aside: `text/html` is the
/// value of `text/html; charset=utf-8`.
fn is_value(found: &[u8], expected: &[u8]) -> bool {
    found == expected
        || (found.starts_with(expected)
            && !expected.contains(&b';')
            && found[expected.len()..].trim_ascii_start().starts_with(b";"))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

/// SHA-256 (FIPS 180-4).
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let mut out = [0; 32];
    out.copy_from_slice(digest.as_ref());
    out
}

#[cfg(test)]
mod tests;
