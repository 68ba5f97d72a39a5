//! Header names that the gateway itself looks at, as small integers.
//!
//! A field whose name is known is compared by id, never by text. The list stays under 128 names, so
//! that one bit per name fits the set of names of [`crate::Fields`].

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
            #[inline]
            pub const fn name(self) -> &'static str {
                match self { Self::Other => "", $(Self::$variant => $text,)* }
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

impl Known {
    /// The id of a lower-case name.
    #[inline]
    pub fn of(name: &[u8]) -> Self {
        Self::find(name, |known| known == name)
    }

    /// The id of a name in any case. Such a name is a token, since every known one is.
    #[inline]
    pub fn of_any_case(name: &[u8]) -> Self {
        Self::find(name, |known| known.eq_ignore_ascii_case(name))
    }

    #[inline]
    fn find(name: &[u8], is_it: impl Fn(&[u8]) -> bool) -> Self {
        let mut at = place(name);
        while let Some(&Some(known)) = PLACES.get(at) {
            if is_it(known.name().as_bytes()) {
                return known;
            }
            at = (at + 1) % PLACES.len();
        }
        Self::Other
    }
}

/// The known names by a hash of length and three bytes, open addressed: most look-ups compare one name
/// or none.
static PLACES: [Option<Known>; 256] = {
    let mut places = [None; 256];
    let mut next = 0;
    while next < Known::ALL.len() {
        let known = Known::ALL[next];
        let mut at = place(known.name().as_bytes());
        while places[at].is_some() {
            at = (at + 1) % places.len();
        }
        places[at] = Some(known);
        next += 1;
    }
    places
};

/// The same for upper and lower case.
#[inline]
const fn place(name: &[u8]) -> usize {
    let (Some(&first), Some(&last)) = (name.first(), name.last()) else { return 0 };
    let (_, behind) = name.split_at(name.len() / 2);
    let middle = match behind.first() {
        Some(&byte) => byte,
        None => 0,
    };
    let [first, middle, last] = [first | 0x20, middle | 0x20, last | 0x20];
    let sum = name.len() * 3 + first as usize * 7 + middle as usize * 29 + last as usize * 113;
    sum % 256
}

#[cfg(test)]
mod tests {
    use super::{Known, PLACES};

    #[test]
    fn every_known_name_is_found_by_its_text() {
        assert!(Known::ALL.len() < 127);
        for &known in Known::ALL {
            let name = known.name();
            assert_eq!(Known::of(name.as_bytes()), known, "{name}");
            assert_eq!(Known::of_any_case(name.as_bytes()), known, "{name}");
            let upper = name.to_ascii_uppercase();
            assert_eq!(Known::of_any_case(upper.as_bytes()), known, "{upper}");
        }
    }

    #[test]
    fn no_long_run_of_neighbours_makes_look_ups_slow() {
        let run = PLACES.split(Option::is_none).map(<[_]>::len).max();
        assert!(run < Some(16), "{run:?}");
    }

    #[test]
    fn other_names_and_other_case_are_other() {
        for name in ["", "x-custom", "Host", "accept-encodinG", &"a".repeat(500)] {
            assert_eq!(Known::of(name.as_bytes()), Known::Other);
        }
        // A careless fold of case would take the carriage return for the hyphen.
        for name in ["", "x-custom", "user\ragent", "content\rlength", &"a".repeat(500)] {
            assert_eq!(Known::of_any_case(name.as_bytes()), Known::Other);
        }
    }
}
