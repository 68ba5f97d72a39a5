//! Ids of requests: the client's own where it is believed, else a UUID of version 7 (RFC 9562 §5.7).

use std::time::Duration;

use bulkhead_config::model::{self, IdTrust};
use bulkhead_message::Fields;
use bulkhead_upstream::Rng;

/// Longest id that is taken over, in bytes.
const ID_BYTES_MAX: usize = 128;

/// See the module.
#[derive(Debug)]
pub(crate) struct RequestIds {
    header: Box<[u8]>,
    trust: IdTrust,
}

impl RequestIds {
    pub(crate) fn new(spec: &model::RequestId) -> Self {
        Self { header: spec.header.as_bytes().into(), trust: spec.trust }
    }

    /// Sees to it that the request has an id. `unix`: the time since 1970.
    pub(crate) fn assign(&self, fields: &mut Fields, trusted: bool, unix: Duration, rng: &mut Rng) {
        let believed = match self.trust {
            IdTrust::Never => false,
            IdTrust::TrustedProxies => trusted,
            IdTrust::Always => true,
        };
        if believed && self.has_one(fields) {
            return;
        }
        fields.set_named(&self.header, &uuid(unix, rng.next(), rng.next()));
    }

    /// The id of a request.
    pub(crate) fn of<'a>(&self, fields: &'a Fields) -> Option<&'a [u8]> {
        fields.get_named(&self.header)
    }

    /// Tells the client the id of its request.
    pub(crate) fn tell(&self, request: &Fields, response: &mut Fields) {
        if let Some(id) = self.of(request) {
            response.set_named(&self.header, id);
        }
    }

    fn has_one(&self, fields: &Fields) -> bool {
        let mut ids = fields.iter().filter(|field| field.name == &*self.header);
        ids.next().is_some_and(|field| is_id(field.value)) && ids.next().is_none()
    }
}

fn is_id(text: &[u8]) -> bool {
    (1..=ID_BYTES_MAX).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic)
}

/// 48 bits of milliseconds, then random bits but for version and variant, as text.
fn uuid(unix: Duration, high: u64, low: u64) -> [u8; 36] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let high = ((unix.as_millis() as u64) << 16) | 0x7000 | (high & 0x0fff);
    let low = (low >> 2) | (1 << 63);
    let bits = (u128::from(high) << 64) | u128::from(low);
    let mut text = [b'-'; 36];
    let places = (0..36).filter(|place| !matches!(place, 8 | 13 | 18 | 23));
    for (index, place) in places.enumerate() {
        text[place] = DIGITS[(bits >> (124 - 4 * index)) as usize & 15];
    }
    text
}

#[cfg(test)]
mod tests;
