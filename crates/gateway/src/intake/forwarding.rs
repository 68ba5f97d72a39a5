//! Who asked, and what the upstream is told of it (RFC 7239, RFC 9110 §7.6.3).
//!
//! A proxy that is believed vouches for the fields of one family only, that of the configured
//! source: it may well pass the other on as its client wrote it.

use std::net::IpAddr;

use bulkhead_config::model::{self, ForwardedHeader, ForwardedSource, Untrusted};
use bulkhead_message::{
    Fields, Known, Network, RequestHead, Version, forwarded_for, forwarded_proto, is_host,
    push_forwarded, x_forwarded_for, x_forwarded_proto,
};

const X_FORWARDED_PORT: &[u8] = b"x-forwarded-port";

/// The client, as far as it can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The nearest address that is not believed; `None`: it has none.
    pub(crate) client: Option<IpAddr>,
    /// It uses TLS.
    pub(crate) secure: bool,
    /// The connection is a trusted proxy's.
    pub(crate) trusted: bool,
}

/// The hop that a request came over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hop<'a> {
    /// The other end of the connection, as an address and as text.
    pub(crate) peer: Option<IpAddr>,
    pub(crate) peer_text: &'a [u8],
    pub(crate) origin: Origin,
    /// The authority before a filter changed it; empty unless [`Forwarding::tells_authority`].
    pub(crate) authority: &'a [u8],
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Forwarding {
    networks: Box<[Network]>,
    hops: usize,
    source: ForwardedSource,
    replace: bool,
    headers: Headers,
    via: Option<Via>,
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a set of fields, tested for each request")]
struct Headers {
    x_for: bool,
    x_proto: bool,
    x_host: bool,
    x_port: bool,
    standard: bool,
}

/// Values of `via`, by version received.
#[derive(Debug)]
struct Via([Box<[u8]>; 3]);

impl Forwarding {
    pub(crate) fn new(spec: &model::Forwarding) -> Self {
        let has = |header| spec.headers.contains(&header);
        Self {
            networks: spec.trusted_proxies.clone().into(),
            hops: spec.trusted_hops,
            source: spec.source,
            replace: spec.untrusted == Untrusted::Replace,
            headers: Headers {
                x_for: has(ForwardedHeader::XForwardedFor),
                x_proto: has(ForwardedHeader::XForwardedProto),
                x_host: has(ForwardedHeader::XForwardedHost),
                x_port: has(ForwardedHeader::XForwardedPort),
                standard: has(ForwardedHeader::Forwarded),
            },
            via: spec.via.as_deref().map(|name| {
                Via(["1.0", "1.1", "2"]
                    .map(|version| format!("{version} {name}").into_bytes().into()))
            }),
        }
    }

    /// Whether the authority that the client asked for is passed on, so that it has to be kept.
    pub(crate) const fn tells_authority(&self) -> bool {
        self.headers.x_host || self.headers.x_port || self.headers.standard
    }

    /// Who asked: the nearest hop that is not believed. Beyond a claim that cannot be read nothing
    /// is known.
    pub(crate) fn origin(&self, fields: &Fields, peer: Option<IpAddr>, secure: bool) -> Origin {
        if !self.believes(0, peer) {
            return Origin { client: peer, secure, trusted: false };
        }
        let (client, said) = match self.source {
            ForwardedSource::XForwardedFor => {
                (self.nearest_stranger(peer, x_forwarded_for(fields)), x_forwarded_proto(fields))
            }
            ForwardedSource::Forwarded => {
                (self.nearest_stranger(peer, forwarded_for(fields)), forwarded_proto(fields))
            }
        };
        Origin { client, secure: said.unwrap_or(secure), trusted: true }
    }

    fn nearest_stranger(
        &self,
        peer: Option<IpAddr>,
        claims: impl Iterator<Item = Option<IpAddr>>,
    ) -> Option<IpAddr> {
        let mut nearest = peer;
        for (hop, claim) in (1..).zip(claims) {
            if claim.is_none() {
                break;
            }
            nearest = claim;
            if !self.believes(hop, claim) {
                break;
            }
        }
        nearest
    }

    fn believes(&self, hop: usize, address: Option<IpAddr>) -> bool {
        hop < self.hops
            || address.is_some_and(|address| self.networks.iter().any(|one| one.contains(address)))
    }

    /// Tells the upstream who asked.
    pub(crate) fn tell(&self, head: &mut RequestHead, hop: &Hop<'_>) {
        let vouched = |source| hop.origin.trusted && self.source == source;
        let (keep_x, keep_standard) =
            (vouched(ForwardedSource::XForwardedFor), vouched(ForwardedSource::Forwarded));
        if self.replace && !(keep_x && keep_standard) {
            drop_claims(&mut head.fields, keep_x, keep_standard);
        }
        let version = head.version;
        let fields = &mut head.fields;
        if self.headers.x_for && !hop.peer_text.is_empty() {
            append_client(fields, hop.peer_text);
        }
        let scheme = if hop.origin.secure { "https" } else { "http" };
        if self.headers.x_proto {
            fields.set(Known::XForwardedProto, scheme.as_bytes());
        }
        if self.tells_authority() {
            self.tell_authority(fields, hop, keep_x, scheme);
        }
        if let Some(via) = &self.via {
            fields.push_known(Known::Via, via.of(version));
        }
    }

    fn tell_authority(&self, fields: &mut Fields, hop: &Hop<'_>, keep_x: bool, scheme: &str) {
        let host = fields.get(Known::XForwardedHost);
        if self.headers.x_host && !(keep_x && host.is_some_and(is_host)) {
            fields.remove(Known::XForwardedHost);
            if !hop.authority.is_empty() {
                fields.push_known(Known::XForwardedHost, hop.authority);
            }
        }
        let port = fields.get_named(X_FORWARDED_PORT);
        if self.headers.x_port && !(keep_x && port.is_some_and(is_port)) {
            let port = port_of(hop.authority, hop.origin.secure);
            fields.set_named(X_FORWARDED_PORT, port);
        }
        if self.headers.standard {
            let mut element = Vec::with_capacity(hop.authority.len() + 64);
            push_forwarded(hop.peer, hop.authority, scheme, &mut element);
            fields.push_known(Known::Forwarded, &element);
        }
    }

    /// Names the gateway to the client, whose answer came in `version`.
    pub(crate) fn tell_client(&self, fields: &mut Fields, version: Version) {
        if let Some(via) = &self.via {
            fields.push_known(Known::Via, via.of(version));
        }
    }
}

impl Via {
    fn of(&self, version: Version) -> &[u8] {
        let [http10, http11, http2] = &self.0;
        match version {
            Version::Http10 => http10,
            Version::Http11 => http11,
            Version::Http2 => http2,
        }
    }
}

/// Removes what nobody vouches for, in any of the spellings that upstreams believe.
fn drop_claims(fields: &mut Fields, keep_x: bool, keep_standard: bool) {
    fields.retain(|field| match field.known {
        Known::Forwarded => keep_standard,
        Known::XForwardedFor | Known::XForwardedProto | Known::XForwardedHost => keep_x,
        Known::Other => {
            keep_x || !(field.name.starts_with(b"x-forwarded-") || field.name == b"x-real-ip")
        }
        _ => true,
    });
}

fn append_client(fields: &mut Fields, client: &[u8]) {
    let Some(previous) = fields.get(Known::XForwardedFor) else {
        return fields.push_known(Known::XForwardedFor, client);
    };
    let mut chain = Vec::with_capacity(previous.len() + client.len() + 2);
    for value in fields.get_all(Known::XForwardedFor) {
        chain.extend_from_slice(value);
        chain.extend_from_slice(b", ");
    }
    chain.extend_from_slice(client);
    fields.set(Known::XForwardedFor, &chain);
}

fn is_port(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| {
        text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
    })
}

/// The port of an authority, or that of its scheme.
fn port_of(authority: &[u8], secure: bool) -> &[u8] {
    let after = authority.rsplit(|&byte| byte == b':').next().unwrap_or(&[]);
    if after.len() < authority.len() && is_port(after) && !after.is_empty() {
        return after;
    }
    if secure { b"443" } else { b"80" }
}

#[cfg(test)]
mod tests;
