//! Request and response heads.

use crate::fields::Span;
use crate::{Fields, Method};

/// HTTP version a message was received in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0 (RFC 1945)
    Http10,
    /// HTTP/1.1 (RFC 9112)
    #[default]
    Http11,
    /// HTTP/2 (RFC 9113)
    Http2,
}

impl Version {
    /// As in `network.protocol.version` of OpenTelemetry: `1.0`, `1.1`, `2`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
            Self::Http2 => "2",
        }
    }
}

/// URI scheme of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http`
    #[default]
    Http,
    /// `https`
    Https,
}

impl Scheme {
    /// The text as on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// How much body a message declares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyLength {
    /// There is none.
    #[default]
    None,
    /// So many bytes (`content-length`).
    Known(u64),
    /// Until the end of the stream, the last chunk, or the connection.
    Unknown,
}

/// Head of a request. The `host` field never stands among `fields`: it is the authority.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    /// Method; text of an extension method by [`RequestHead::method_text`].
    method: Method,
    method_text: Span,
    authority: Span,
    path: Span,
    protocol: Span,
    /// Scheme: as the request says (HTTP/2), or as the listener is (HTTP/1.1 origin form).
    pub scheme: Scheme,
    /// Version in which it arrived.
    pub version: Version,
    /// What body follows.
    pub body: BodyLength,
    /// Header fields, without `host`.
    pub fields: Fields,
}

impl RequestHead {
    /// An empty `GET` without target.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes it empty again; keeps the memory.
    pub fn clear(&mut self) {
        self.fields.clear();
        self.method = Method::Get;
        self.method_text = Span::default();
        self.authority = Span::default();
        self.path = Span::default();
        self.protocol = Span::default();
        self.scheme = Scheme::Http;
        self.version = Version::Http11;
        self.body = BodyLength::None;
    }

    /// The method.
    pub const fn method(&self) -> Method {
        self.method
    }

    /// The method's token.
    pub fn method_text(&self) -> &[u8] {
        match self.method {
            Method::Extension => self.fields.text(self.method_text),
            method => method.as_str().as_bytes(),
        }
    }

    /// Sets the method from its token.
    pub fn set_method(&mut self, token: &[u8]) {
        self.method = Method::of(token);
        if self.method == Method::Extension {
            self.method_text = self.fields.intern(token);
        }
    }

    /// `:authority` or `Host`; empty if the request has none.
    pub fn authority(&self) -> &[u8] {
        self.fields.text(self.authority)
    }

    /// Sets the authority.
    pub fn set_authority(&mut self, authority: &[u8]) {
        self.authority = self.fields.intern(authority);
    }

    /// Whether an authority was set and is not empty.
    pub const fn has_authority(&self) -> bool {
        !self.authority.is_empty()
    }

    /// Path with query, in origin form (`/a?b`), or `*`; empty for `CONNECT`.
    pub fn target(&self) -> &[u8] {
        self.fields.text(self.path)
    }

    /// Sets path with query.
    pub fn set_target(&mut self, target: &[u8]) {
        self.path = self.fields.intern(target);
    }

    /// Path without query.
    pub fn path(&self) -> &[u8] {
        let target = self.target();
        memchr::memchr(b'?', target).map_or(target, |at| &target[..at])
    }

    /// Query without `?`; `None` without a `?`.
    pub fn query(&self) -> Option<&[u8]> {
        let target = self.target();
        memchr::memchr(b'?', target).map(|at| &target[at + 1..])
    }

    /// `:protocol` of an extended CONNECT (RFC 8441); empty if there is none.
    pub fn protocol(&self) -> &[u8] {
        self.fields.text(self.protocol)
    }

    /// Sets `:protocol`.
    pub fn set_protocol(&mut self, protocol: &[u8]) {
        self.protocol = self.fields.intern(protocol);
    }
}

/// Head of a response, final or interim.
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    /// Status code, 100 to 999.
    pub status: u16,
    /// Version in which it arrived.
    pub version: Version,
    /// What body follows.
    pub body: BodyLength,
    /// Header fields.
    pub fields: Fields,
}

impl ResponseHead {
    /// A head with this status and no field.
    pub fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// Makes it empty again; keeps the memory.
    pub fn clear(&mut self) {
        self.status = 0;
        self.version = Version::Http11;
        self.body = BodyLength::None;
        self.fields.clear();
    }

    /// Whether this is a 1xx head, which a final one follows.
    pub const fn is_interim(&self) -> bool {
        self.status >= 100 && self.status < 200
    }
}
