//! Values that are taken from an answer for later steps.

use bulkhead_load::{Answer, Mismatch};
use regex::bytes::Regex;

use crate::expectation::{JsonBody, text_of};
use crate::json_path::JsonPath;

/// Longest value that is kept.
pub(crate) const EXTRACTED_BYTES_MAX: usize = 64 << 10;

/// One value to be taken.
#[derive(Clone, Debug)]
pub(crate) struct Extract {
    /// Its place among the journey's extracted values.
    pub(crate) place: usize,
    pub(crate) from: From,
}

/// Where it stands.
#[derive(Clone, Debug)]
pub(crate) enum From {
    Json(JsonPath),
    /// A header field, by its lower-case name.
    Header(String),
    /// A cookie that the answer sets, by its name.
    Cookie(String),
    /// The first group of the first match in the body, or the whole match without groups.
    Regex(Regex),
}

impl Extract {
    /// Takes the value.
    ///
    /// # Errors
    /// If it is not there, or too long to be kept.
    pub(crate) fn take(
        &self,
        answer: &Answer<'_>,
        json: &mut JsonBody<'_>,
    ) -> Result<Vec<u8>, Mismatch> {
        let (value, wrong) = match &self.from {
            From::Header(name) => {
                let value = answer.head.fields.get_named(name.as_bytes());
                (value.map(<[u8]>::to_vec), Mismatch::Header)
            }
            From::Cookie(name) => (cookie(answer, name).map(<[u8]>::to_vec), Mismatch::Header),
            From::Json(path) => {
                let value = json.document().and_then(|document| path.find(document));
                (value.map(|value| text_of(value).into_owned().into_bytes()), Mismatch::Body)
            }
            From::Regex(regex) => {
                let found = regex.captures(answer.body);
                let found = found.and_then(|groups| groups.get(1).or_else(|| groups.get(0)));
                (found.map(|found| found.as_bytes().to_vec()), Mismatch::Body)
            }
        };
        value.filter(|value| value.len() <= EXTRACTED_BYTES_MAX).ok_or(wrong)
    }
}

/// The value of the last `set-cookie` field of that name (RFC 6265 §5.2).
fn cookie<'a>(answer: &Answer<'a>, name: &str) -> Option<&'a [u8]> {
    let fields = answer.head.fields.iter().filter(|field| field.name == b"set-cookie");
    let pairs = fields.filter_map(|field| field.value.split(|byte| *byte == b';').next());
    let mut values = pairs.filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (found, value) = pair.split_at(at);
        (found.trim_ascii() == name.as_bytes()).then(|| value[1..].trim_ascii())
    });
    values.next_back()
}
