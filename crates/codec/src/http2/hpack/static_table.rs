//! The static table (RFC 7541 Appendix A), with what each name means.

use bulkhead_message::Known;

use super::Name;

/// Number of entries; indexes above it are in the dynamic table.
pub(super) const LEN: usize = 61;

/// One entry.
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) text: &'static str,
    pub(super) value: &'static str,
}

/// The entry at `index`, counted from 1.
#[inline]
pub(super) fn get(index: usize) -> Option<&'static Entry> {
    TABLE.get(index.checked_sub(1)?)
}

/// Index of the first entry with this name; 0 if there is none.
#[inline]
pub(super) fn index_of(known: Known) -> usize {
    INDEX.get(known as usize).map_or(0, |&index| usize::from(index))
}

pub(super) const AUTHORITY: usize = 1;
pub(super) const METHOD: usize = 2;
pub(super) const PATH: usize = 4;
pub(super) const SCHEME: usize = 6;
pub(super) const STATUS: usize = 8;
pub(super) const ACCEPT_ENCODING: usize = 16;

static INDEX: [u8; 128] = {
    let mut index = [0; 128];
    let mut at = LEN;
    while at > 0 {
        at -= 1;
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        if let Name::Field(known) = TABLE[at].name {
            index[known as usize] = at as u8 + 1;
        }
    }
    index
};

const fn pseudo(name: Name, text: &'static str, value: &'static str) -> Entry {
    Entry { name, text, value }
}

const fn field(known: Known, value: &'static str) -> Entry {
    Entry { name: Name::Field(known), text: known.name(), value }
}

static TABLE: [Entry; LEN] = [
    pseudo(Name::Authority, ":authority", ""),
    pseudo(Name::Method, ":method", "GET"),
    pseudo(Name::Method, ":method", "POST"),
    pseudo(Name::Path, ":path", "/"),
    pseudo(Name::Path, ":path", "/index.html"),
    pseudo(Name::Scheme, ":scheme", "http"),
    pseudo(Name::Scheme, ":scheme", "https"),
    pseudo(Name::Status, ":status", "200"),
    pseudo(Name::Status, ":status", "204"),
    pseudo(Name::Status, ":status", "206"),
    pseudo(Name::Status, ":status", "304"),
    pseudo(Name::Status, ":status", "400"),
    pseudo(Name::Status, ":status", "404"),
    pseudo(Name::Status, ":status", "500"),
    field(Known::AcceptCharset, ""),
    field(Known::AcceptEncoding, "gzip, deflate"),
    field(Known::AcceptLanguage, ""),
    field(Known::AcceptRanges, ""),
    field(Known::Accept, ""),
    field(Known::AccessControlAllowOrigin, ""),
    field(Known::Age, ""),
    field(Known::Allow, ""),
    field(Known::Authorization, ""),
    field(Known::CacheControl, ""),
    field(Known::ContentDisposition, ""),
    field(Known::ContentEncoding, ""),
    field(Known::ContentLanguage, ""),
    field(Known::ContentLength, ""),
    field(Known::ContentLocation, ""),
    field(Known::ContentRange, ""),
    field(Known::ContentType, ""),
    field(Known::Cookie, ""),
    field(Known::Date, ""),
    field(Known::Etag, ""),
    field(Known::Expect, ""),
    field(Known::Expires, ""),
    field(Known::From, ""),
    field(Known::Host, ""),
    field(Known::IfMatch, ""),
    field(Known::IfModifiedSince, ""),
    field(Known::IfNoneMatch, ""),
    field(Known::IfRange, ""),
    field(Known::IfUnmodifiedSince, ""),
    field(Known::LastModified, ""),
    field(Known::Link, ""),
    field(Known::Location, ""),
    field(Known::MaxForwards, ""),
    field(Known::ProxyAuthenticate, ""),
    field(Known::ProxyAuthorization, ""),
    field(Known::Range, ""),
    field(Known::Referer, ""),
    field(Known::Refresh, ""),
    field(Known::RetryAfter, ""),
    field(Known::Server, ""),
    field(Known::SetCookie, ""),
    field(Known::StrictTransportSecurity, ""),
    field(Known::TransferEncoding, ""),
    field(Known::UserAgent, ""),
    field(Known::Vary, ""),
    field(Known::Via, ""),
    field(Known::WwwAuthenticate, ""),
];
