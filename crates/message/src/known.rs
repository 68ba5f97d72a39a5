//! Header names that the gateway itself looks at, as small integers.
//!
//! A field whose name is known is compared by id, never by text. The list stays under 128 names, so
//! that one bit per name fits the presence mask of [`crate::Fields`].

macro_rules! known_names {
    ($($variant:ident = $text:literal,)*) => {
        /// A header name known at compile time; [`Known::Other`] is any name that is not in the list.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Known {
            /// A name outside the list: compare its text.
            Other = 0,
            $(#[doc = concat!("`", $text, "`")] $variant,)*
        }

        impl Known {
            /// Every known name, in the order of its discriminant, without [`Known::Other`].
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The lower-case name; empty for [`Known::Other`].
            pub const fn name(self) -> &'static str {
                match self { Self::Other => "", $(Self::$variant => $text,)* }
            }

            /// The id of a lower-case name.
            pub fn of(name: &[u8]) -> Self {
                const fn bytes(text: &str) -> &[u8] { text.as_bytes() }
                let candidates = BY_LENGTH.get(name.len()).copied().unwrap_or(&[]);
                for &known in candidates {
                    if bytes(known.name()) == name { return known; }
                }
                Self::Other
            }
        }
    };
}

known_names! {
    Accept = "accept",
    AcceptCharset = "accept-charset",
    AcceptEncoding = "accept-encoding",
    AcceptLanguage = "accept-language",
    AcceptRanges = "accept-ranges",
    AccessControlAllowOrigin = "access-control-allow-origin",
    Age = "age",
    Allow = "allow",
    Authorization = "authorization",
    CacheControl = "cache-control",
    Connection = "connection",
    ContentDisposition = "content-disposition",
    ContentEncoding = "content-encoding",
    ContentLanguage = "content-language",
    ContentLength = "content-length",
    ContentLocation = "content-location",
    ContentRange = "content-range",
    ContentType = "content-type",
    Cookie = "cookie",
    Date = "date",
    Etag = "etag",
    Expect = "expect",
    Expires = "expires",
    Forwarded = "forwarded",
    From = "from",
    GrpcAcceptEncoding = "grpc-accept-encoding",
    GrpcEncoding = "grpc-encoding",
    GrpcMessage = "grpc-message",
    GrpcStatus = "grpc-status",
    GrpcTimeout = "grpc-timeout",
    Host = "host",
    Http2Settings = "http2-settings",
    IfMatch = "if-match",
    IfModifiedSince = "if-modified-since",
    IfNoneMatch = "if-none-match",
    IfRange = "if-range",
    IfUnmodifiedSince = "if-unmodified-since",
    KeepAlive = "keep-alive",
    LastModified = "last-modified",
    Link = "link",
    Location = "location",
    MaxForwards = "max-forwards",
    Origin = "origin",
    ProxyAuthenticate = "proxy-authenticate",
    ProxyAuthorization = "proxy-authorization",
    ProxyConnection = "proxy-connection",
    Range = "range",
    Referer = "referer",
    Refresh = "refresh",
    RetryAfter = "retry-after",
    Server = "server",
    SetCookie = "set-cookie",
    StrictTransportSecurity = "strict-transport-security",
    Te = "te",
    Traceparent = "traceparent",
    Tracestate = "tracestate",
    Trailer = "trailer",
    TransferEncoding = "transfer-encoding",
    Upgrade = "upgrade",
    UserAgent = "user-agent",
    Vary = "vary",
    Via = "via",
    WwwAuthenticate = "www-authenticate",
    XForwardedClientCert = "x-forwarded-client-cert",
    XForwardedFor = "x-forwarded-for",
    XForwardedHost = "x-forwarded-host",
    XForwardedProto = "x-forwarded-proto",
    XRequestId = "x-request-id",
}

/// Candidates by length of name: the lookup compares only names that can be equal.
static BY_LENGTH: &[&[Known]] = &[
    &[],
    &[],
    &[Known::Te],
    &[Known::Age, Known::Via],
    &[Known::Date, Known::Etag, Known::From, Known::Host, Known::Link, Known::Vary],
    &[Known::Allow, Known::Range],
    &[Known::Accept, Known::Cookie, Known::Expect, Known::Origin, Known::Server],
    &[Known::Expires, Known::Referer, Known::Refresh, Known::Trailer, Known::Upgrade],
    &[Known::IfMatch, Known::IfRange, Known::Location],
    &[Known::Forwarded],
    &[Known::Connection, Known::KeepAlive, Known::SetCookie, Known::Tracestate, Known::UserAgent],
    &[Known::GrpcStatus, Known::RetryAfter, Known::Traceparent],
    &[
        Known::ContentType,
        Known::GrpcTimeout,
        Known::GrpcMessage,
        Known::MaxForwards,
        Known::XRequestId,
    ],
    &[
        Known::AcceptRanges,
        Known::Authorization,
        Known::CacheControl,
        Known::ContentRange,
        Known::GrpcEncoding,
        Known::IfNoneMatch,
        Known::LastModified,
    ],
    &[Known::AcceptCharset, Known::ContentLength, Known::Http2Settings],
    &[Known::AcceptEncoding, Known::AcceptLanguage, Known::XForwardedFor],
    &[
        Known::ContentEncoding,
        Known::ContentLanguage,
        Known::ContentLocation,
        Known::ProxyConnection,
        Known::WwwAuthenticate,
        Known::XForwardedHost,
    ],
    &[Known::IfModifiedSince, Known::TransferEncoding, Known::XForwardedProto],
    &[Known::ProxyAuthenticate],
    &[Known::ContentDisposition, Known::IfUnmodifiedSince, Known::ProxyAuthorization],
    &[Known::GrpcAcceptEncoding],
    &[],
    &[],
    &[Known::XForwardedClientCert],
    &[],
    &[Known::StrictTransportSecurity],
    &[],
    &[Known::AccessControlAllowOrigin],
];

#[cfg(test)]
mod tests {
    use super::Known;

    #[test]
    fn every_known_name_is_found_by_its_text() {
        assert!(Known::ALL.len() < 127);
        for &known in Known::ALL {
            assert_eq!(Known::of(known.name().as_bytes()), known, "{}", known.name());
        }
    }

    #[test]
    fn other_names_and_other_case_are_other() {
        for name in ["", "x-custom", "Host", "accept-encodinG", &"a".repeat(500)] {
            assert_eq!(Known::of(name.as_bytes()), Known::Other);
        }
    }
}
