//! Text with placeholders, compiled once: `/api/{user:uniform(1,9)}/feed`, `Bearer {token:users}`.
//!
//! A `{` before a letter or `_` begins a placeholder, `{{` is a brace, and any other brace is itself,
//! so that JSON can be written as it is. Writing draws nothing anew: a value follows from the seed, the
//! number of the request and the name of the variable.

mod draw;
mod parse;
mod scope;
mod zipf;

pub(crate) use draw::{Draws, Extracted};
pub(crate) use parse::parse;
pub(crate) use scope::{Draw, Scope, Variable, salt_of};

/// Text with placeholders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Text(Vec<u8>),
    /// Index of a variable of the request or journey.
    Variable(usize),
}

/// Where a text is written to, which decides what the value of a placeholder may do there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A path with query: values are percent-encoded; one that begins the path is a path itself.
    Path,
    /// The value of a field: control characters become spaces.
    Field,
    /// A body, or something to compare with: as it is.
    Plain,
}

impl Template {
    pub(crate) const fn new(parts: Vec<Part>) -> Self {
        Self(parts)
    }

    /// Text without placeholders.
    pub(crate) fn literal(text: impl Into<Vec<u8>>) -> Self {
        Self(vec![Part::Text(text.into())])
    }

    /// The text, if there are no placeholders.
    pub(crate) fn as_literal(&self) -> Option<&[u8]> {
        match self.0.as_slice() {
            [] => Some(b""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The texts between the placeholders.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_slice()),
            Part::Variable(_) => None,
        })
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.0
    }

    /// Appends it with the values of `draws`.
    pub(crate) fn push(&self, place: Place, draws: &Draws<'_>, out: &mut Vec<u8>) {
        for (position, part) in self.0.iter().enumerate() {
            let start = out.len();
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Variable(variable) => {
                    draws.push(*variable, out);
                    match place {
                        Place::Plain => {}
                        Place::Field => clean_field(&mut out[start..]),
                        Place::Path if position == 0 => lead_path(out, start),
                        Place::Path => encode(out, start, is_unreserved),
                    }
                }
            }
        }
    }
}

/// What came from an answer must not end the line of a field.
fn clean_field(value: &mut [u8]) {
    for byte in value.iter_mut().filter(|byte| **byte < 0x20 || **byte == 0x7f) {
        *byte = b' ';
    }
}

/// A value that begins a path is one: of a URL, such as of a `location` field, only the path counts.
fn lead_path(out: &mut Vec<u8>, start: usize) {
    let value = &out[start..];
    if let Some(scheme) = value.windows(3).position(|bytes| bytes == b"://")
        && !value[..scheme].contains(&b'/')
    {
        let rest = &value[scheme + 3..];
        let path = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
        out.drain(start..start + scheme + 3 + path);
    }
    if out.get(start) != Some(&b'/') {
        out.insert(start, b'/');
    }
    encode(out, start, |byte| byte.is_ascii_graphic() && byte != b'#');
}

/// RFC 3986 §2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Percent-encodes what follows `start`, as far as it must not `stay`.
fn encode(out: &mut Vec<u8>, start: usize, stay: impl Fn(u8) -> bool) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if out[start..].iter().all(|&byte| stay(byte)) {
        return;
    }
    for byte in out.split_off(start) {
        if stay(byte) {
            out.push(byte);
        } else {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            out.extend([b'%', DIGITS[high], DIGITS[low]]);
        }
    }
}

/// Text as it stands for a value in a path or query.
pub(crate) fn percent_encode(text: &str) -> Vec<u8> {
    let mut out = text.as_bytes().to_vec();
    encode(&mut out, 0, is_unreserved);
    out
}

#[cfg(test)]
mod tests;
