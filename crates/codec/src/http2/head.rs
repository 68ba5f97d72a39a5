//! Fields → heads, with the rules of RFC 9113 §8 that make a message malformed.
//!
//! Decodes straight into the owner's recycled heads. The first fault is remembered and the rest of the
//! block passes by, since the compression state has to see it all.

use bulkhead_message::{
    BodyLength, Fields, Known, Method, RequestHead, ResponseHead, Scheme, Version, is_token,
};

use super::hpack::{Field, Name, Sink};
use crate::http1::is_authority;

/// Why a message is malformed; fixed text.
pub(super) type Malformed = &'static str;

/// What the fields of any section have in common.
#[derive(Debug, Default)]
struct Section {
    fault: Option<Malformed>,
    content_length: Option<u64>,
}

impl Section {
    #[inline]
    fn refuse(&mut self, reason: Malformed) {
        if self.fault.is_none() {
            self.fault = Some(reason);
        }
    }

    /// Checks a regular field and keeps it.
    #[inline]
    fn keep(&mut self, known: Known, field: &Field<'_>, fields: &mut Fields) {
        match known {
            Known::Connection
            | Known::KeepAlive
            | Known::ProxyConnection
            | Known::TransferEncoding
            | Known::Upgrade => return self.refuse("connection-specific field"),
            Known::Te if field.value != b"trailers" => {
                return self.refuse("te other than trailers");
            }
            Known::ContentLength => match (parse_length(field.value), self.content_length) {
                (Some(length), None) => self.content_length = Some(length),
                _ => return self.refuse("bad or repeated content-length"),
            },
            _ => {}
        }
        fields.push_classified(known, field.text, field.value, field.sensitive);
    }
}

fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |length, &byte| {
        let digit = byte.is_ascii_digit().then_some(u64::from(byte & 0xf))?;
        length.checked_mul(10)?.checked_add(digit)
    })
}

const METHOD: u8 = 1;
const SCHEME: u8 = 2;
const PATH: u8 = 4;
const AUTHORITY: u8 = 8;
const PROTOCOL: u8 = 16;
const HOST: u8 = 32;
const REGULAR: u8 = 64;

/// Takes a request's fields.
pub(super) struct RequestSink<'h> {
    head: &'h mut RequestHead,
    section: Section,
    seen: u8,
    cookies: u32,
    extended_connect: bool,
}

impl<'h> RequestSink<'h> {
    /// `extended_connect`: it is offered, so that `:protocol` may be there (RFC 8441 §4).
    pub(super) fn new(head: &'h mut RequestHead, extended_connect: bool) -> Self {
        head.clear();
        head.version = Version::Http2;
        Self { head, section: Section::default(), seen: 0, cookies: 0, extended_connect }
    }

    #[cold]
    fn pseudo_fault(&mut self) {
        self.section.refuse("pseudo-header field repeated or out of place");
    }

    fn host(&mut self, host: &[u8]) {
        if self.seen & HOST != 0 || !is_authority(host) {
            return self.section.refuse("bad or repeated host");
        }
        self.seen |= HOST;
        if self.seen & AUTHORITY == 0 {
            self.head.set_authority(host);
        } else if !self.head.authority().eq_ignore_ascii_case(host) {
            self.section.refuse("host differs from :authority");
        }
    }

    #[inline]
    fn pseudo(&mut self, bit: u8, field: &Field<'_>) {
        if self.seen & (bit | REGULAR) != 0 {
            return self.pseudo_fault();
        }
        self.seen |= bit;
        let value = field.value;
        match bit {
            METHOD => self.head.set_method(value),
            SCHEME if value.len() == 5 => self.head.scheme = Scheme::Https,
            SCHEME => self.head.scheme = Scheme::Http,
            PATH => self.head.set_target(value),
            AUTHORITY => self.head.set_authority(value),
            _ if !is_token(value) => self.section.refuse(":protocol is not a token"),
            _ => self.head.set_protocol(value),
        }
    }

    /// Checks what only the whole head shows; gives the declared body length.
    ///
    /// # Errors
    /// When the request is malformed.
    pub(super) fn finish(mut self, end: bool) -> Result<Option<u64>, Malformed> {
        if let Some(fault) = self.section.fault {
            return Err(fault);
        }
        let target = METHOD | SCHEME | PATH;
        let is_connect = self.head.method() == Method::Connect;
        if is_connect && self.extended_connect && self.seen & PROTOCOL != 0 {
            if self.seen & target != target || self.head.target() == b"*" {
                return Err("extended CONNECT without :scheme or :path");
            }
        } else if is_connect {
            if self.seen & (target | AUTHORITY | PROTOCOL) != METHOD | AUTHORITY {
                return Err("CONNECT with other than :method and :authority");
            }
        } else if self.seen & (target | PROTOCOL) != target {
            return Err("pseudo-header field missing or unexpected");
        } else if self.head.target() == b"*" && self.head.method() != Method::Options {
            return Err("path * with other than OPTIONS");
        }
        let length = self.section.content_length;
        if end && length.is_some_and(|length| length > 0) {
            return Err("content-length without a body");
        }
        if self.cookies > 1 {
            self.join_cookies();
        }
        // A tunnel's bytes are counted by nobody.
        let length = length.filter(|_| !is_connect);
        self.head.body = match (end, length) {
            (true, _) => BodyLength::None,
            (false, Some(length)) => BodyLength::Known(length),
            (false, None) => BodyLength::Unknown,
        };
        Ok(length)
    }

    /// Crumbs become one field again (RFC 9113 §8.2.3). Empty ones are left out: joined, they would put
    /// white space at the end of the value, which no peer takes.
    #[cold]
    fn join_cookies(&mut self) {
        let fields = &mut self.head.fields;
        let mut joined = Vec::new();
        let mut sensitive = false;
        for crumb in fields.iter().filter(|field| field.known == Known::Cookie) {
            if !joined.is_empty() && !crumb.value.is_empty() {
                joined.extend_from_slice(b"; ");
            }
            joined.extend_from_slice(crumb.value);
            sensitive |= crumb.sensitive;
        }
        fields.remove(Known::Cookie);
        fields.push_classified(Known::Cookie, &[], &joined, sensitive);
    }
}

impl Sink for RequestSink<'_> {
    #[inline]
    fn field(&mut self, field: Field<'_>) {
        if !field.valid {
            return self.section.refuse("bad byte in a field");
        }
        match field.name {
            Name::Field(known) => {
                self.seen |= REGULAR;
                match known {
                    Known::Host => return self.host(field.value),
                    Known::Cookie => self.cookies += 1,
                    _ => {}
                }
                self.section.keep(known, &field, &mut self.head.fields);
            }
            Name::Method => self.pseudo(METHOD, &field),
            Name::Scheme => self.pseudo(SCHEME, &field),
            Name::Path => self.pseudo(PATH, &field),
            Name::Authority => self.pseudo(AUTHORITY, &field),
            Name::Protocol => self.pseudo(PROTOCOL, &field),
            Name::Status | Name::Invalid => self.section.refuse("pseudo-header field unknown"),
        }
    }
}

/// Takes a response's fields.
pub(super) struct ResponseSink<'h> {
    head: &'h mut ResponseHead,
    section: Section,
    regular: bool,
}

impl<'h> ResponseSink<'h> {
    pub(super) fn new(head: &'h mut ResponseHead) -> Self {
        head.clear();
        head.version = Version::Http2;
        Self { head, section: Section::default(), regular: false }
    }

    #[inline]
    fn status(&mut self, value: &[u8]) {
        let digit = |&byte: &u8| u16::from(byte & 0xf);
        let status = match value {
            [b'0', ..] => 0,
            [a, b, c] => digit(a) * 100 + digit(b) * 10 + digit(c),
            _ => 0,
        };
        if status == 0 || self.head.status != 0 || self.regular {
            return self.section.refuse("bad, repeated or misplaced :status");
        }
        self.head.status = status;
    }

    /// Checks what only the whole head shows; gives the declared body length: 0 for a response that
    /// has no body whatever it declares.
    ///
    /// # Errors
    /// When the response is malformed.
    pub(super) fn finish(self, end: bool, to_head: bool) -> Result<Option<u64>, Malformed> {
        if let Some(fault) = self.section.fault {
            return Err(fault);
        }
        let head = self.head;
        let length = self.section.content_length;
        match head.status {
            0 => return Err(":status missing"),
            101 => return Err("101 does not exist in HTTP/2"),
            100..200 if end => return Err("interim response that ends the stream"),
            _ => {}
        }
        let bodiless = to_head || matches!(head.status, 204 | 304);
        if end && !bodiless && length.is_some_and(|length| length > 0) {
            return Err("content-length without a body");
        }
        head.body = match (end || bodiless || head.is_interim(), length) {
            (true, _) => BodyLength::None,
            (false, Some(length)) => BodyLength::Known(length),
            (false, None) => BodyLength::Unknown,
        };
        Ok(if bodiless { Some(0) } else { length })
    }
}

impl Sink for ResponseSink<'_> {
    #[inline]
    fn field(&mut self, field: Field<'_>) {
        if !field.valid {
            return self.section.refuse("bad byte in a field");
        }
        match field.name {
            Name::Field(known) => {
                self.regular = true;
                self.section.keep(known, &field, &mut self.head.fields);
            }
            Name::Status => self.status(field.value),
            _ => self.section.refuse("pseudo-header field unknown"),
        }
    }
}

/// Takes a trailer section's fields.
pub(super) struct TrailerSink<'h> {
    fields: &'h mut Fields,
    section: Section,
}

impl<'h> TrailerSink<'h> {
    pub(super) fn new(fields: &'h mut Fields) -> Self {
        fields.clear();
        Self { fields, section: Section::default() }
    }

    /// # Errors
    /// When the section is malformed.
    pub(super) fn finish(self) -> Result<(), Malformed> {
        self.section.fault.map_or(Ok(()), Err)
    }
}

impl Sink for TrailerSink<'_> {
    #[inline]
    fn field(&mut self, field: Field<'_>) {
        match field.name {
            _ if !field.valid => self.section.refuse("bad byte in a field"),
            Name::Field(known) => self.section.keep(known, &field, self.fields),
            _ => self.section.refuse("pseudo-header field in trailers"),
        }
    }
}
