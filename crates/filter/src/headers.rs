//! Changes of header fields: remove, then set, then add.
//!
//! Framing, connection-level fields and the authority are not theirs to change.
//!
//! - trusts: neither side; names and values come from the configuration
//! - buffers: nothing
//! - fuzzed by: the codec's targets (the result is encoded by it)

use bulkhead_message::{Failure, Fields, Known, ResponseHead};

use crate::error::{header, header_name};
use crate::{Context, Filter, FilterError, Flow};

/// What to change. Names in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderChanges {
    /// Removed first.
    pub remove: Vec<String>,
    /// Then these replace all fields of their names.
    pub set: Vec<(String, String)>,
    /// Then these are appended.
    pub add: Vec<(String, String)>,
}

/// A name, classified once.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    known: Known,
    text: Box<[u8]>,
}

impl Name {
    fn new(lower: String) -> Self {
        Self { known: Known::of(lower.as_bytes()), text: lower.into_bytes().into() }
    }

    fn remove_from(&self, fields: &mut Fields) {
        match self.known {
            Known::Other => fields.remove_named(&self.text),
            known => fields.remove(known),
        }
    }
}

#[derive(Debug)]
struct Changes {
    remove: Box<[Name]>,
    append: Box<[(Name, Box<[u8]>)]>,
}

impl Changes {
    fn new(changes: &HeaderChanges) -> Result<Self, FilterError> {
        let pair = |(name, value): &(String, String)| {
            header(name, value).map(|(name, value)| (Name::new(name), value.into_bytes().into()))
        };
        let set: Vec<(Name, Box<[u8]>)> = changes.set.iter().map(pair).collect::<Result<_, _>>()?;
        let add = changes.add.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
        let mut remove = Vec::new();
        for name in &changes.remove {
            remove.push(Name::new(header_name(name)?));
        }
        // To set is to remove and append. A name set twice ends with the last value, as if in turn.
        let mut append: Vec<(Name, Box<[u8]>)> = Vec::new();
        for (name, value) in set {
            append.retain(|(earlier, _)| *earlier != name);
            if !remove.contains(&name) {
                remove.push(name.clone());
            }
            append.push((name, value));
        }
        append.extend(add);
        Ok(Self { remove: remove.into(), append: append.into() })
    }

    fn apply(&self, fields: &mut Fields) {
        for name in &self.remove {
            name.remove_from(fields);
        }
        for (name, value) in &self.append {
            fields.push_classified(name.known, &name.text, value, false);
        }
    }
}

/// Changes request headers on their way upstream.
#[derive(Debug)]
pub struct RequestHeaders(Changes);

impl RequestHeaders {
    /// A filter with these changes.
    ///
    /// # Errors
    /// [`FilterError`] names the header that cannot be changed so.
    pub fn new(changes: &HeaderChanges) -> Result<Self, FilterError> {
        Changes::new(changes).map(Self)
    }
}

impl Filter for RequestHeaders {
    fn on_request(&self, context: &mut Context<'_>) -> Result<Flow, Failure> {
        self.0.apply(&mut context.request.fields);
        Ok(Flow::Continue)
    }
}

/// Changes response headers on their way to the client.
#[derive(Debug)]
pub struct ResponseHeaders(Changes);

impl ResponseHeaders {
    /// A filter with these changes.
    ///
    /// # Errors
    /// [`FilterError`] names the header that cannot be changed so.
    pub fn new(changes: &HeaderChanges) -> Result<Self, FilterError> {
        Changes::new(changes).map(Self)
    }
}

impl Filter for ResponseHeaders {
    fn on_response(&self, response: &mut ResponseHead) {
        self.0.apply(&mut response.fields);
    }

    fn touches_response(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
