//! What is done to every request before it is routed and sent on.

use bulkhead_message::Network;

/// Who asked: what is believed of it, and what is passed on.
#[derive(Clone, Debug, PartialEq)]
pub struct Forwarding {
    /// Proxies that are believed.
    pub trusted_proxies: Vec<Network>,
    /// So many proxies, counted from us, are believed whatever their addresses. Default 0.
    pub trusted_hops: usize,
    /// Which field the client's address is read from. Default `x-forwarded-for`.
    pub source: ForwardedSource,
    /// What becomes of the fields of a client that is no trusted proxy. Default: they are kept.
    pub untrusted: Untrusted,
    /// Fields that the upstream is sent. Default `x-forwarded-for`, `x-forwarded-proto`.
    pub headers: Vec<ForwardedHeader>,
    /// Our name in `via` (RFC 9110 §7.6.3); `None`: the field is not written.
    pub via: Option<String>,
}

impl Default for Forwarding {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            trusted_hops: 0,
            source: ForwardedSource::XForwardedFor,
            untrusted: Untrusted::Append,
            headers: vec![ForwardedHeader::XForwardedFor, ForwardedHeader::XForwardedProto],
            via: None,
        }
    }
}

/// Where the client's address is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedSource {
    /// `x-forwarded-for`
    XForwardedFor,
    /// `forwarded` (RFC 7239)
    Forwarded,
}

/// What becomes of the forwarding fields of a client that is no trusted proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untrusted {
    /// They stay, and ours come behind them.
    Append,
    /// They are removed.
    Replace,
}

/// A field that tells the upstream who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `x-forwarded-for`: the addresses on the way here.
    XForwardedFor,
    /// `x-forwarded-proto`: `http` or `https`.
    XForwardedProto,
    /// `x-forwarded-host`: the authority that was asked for.
    XForwardedHost,
    /// `x-forwarded-port`: its port.
    XForwardedPort,
    /// `forwarded` (RFC 7239): address, authority and scheme.
    Forwarded,
}

/// Ids of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId {
    /// Field that carries it, in lower case. Default `x-request-id`.
    pub header: String,
    /// Whose ids are taken over. Default: those of trusted proxies.
    pub trust: IdTrust,
}

/// Whose request ids are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdTrust {
    /// Nobody's.
    Never,
    /// Those of `forwarding.trusted_proxies` and `trusted_hops`.
    TrustedProxies,
    /// Everybody's.
    Always,
}
