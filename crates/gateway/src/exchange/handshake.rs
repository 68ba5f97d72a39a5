//! How an exchange comes to be a tunnel: what its client asks for, whether the upstream agrees, and
//! what either said in the other's protocol. Computes only; [`super::tunnel`] acts on it.
//!
//! Inside the gateway a request for an upgrade is what it is in HTTP/1.1: its own method, and
//! `protocol` set. An extended CONNECT of HTTP/2 (RFC 8441) becomes a GET, so that routes and filters
//! see one and the same request. The codecs write either as their protocol has it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bulkhead_config::model::{Tunnels, WEBSOCKET};
use bulkhead_message::{
    BodyLength, Failure, FailureKind, Known, Method, RequestHead, ResponseHead, Retry, Version,
    upgrade_protocols,
};
use sha1::{Digest, Sha1};

const KEY_FIELD: &[u8] = b"sec-websocket-key";
const ACCEPT_FIELD: &[u8] = b"sec-websocket-accept";
/// RFC 6455 §1.3.
const ACCEPT_SALT: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// 16 bytes in base64.
const KEY_LEN: usize = 24;

/// What a tunnel is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TunnelKind {
    WebSocket,
    /// An upgrade to another protocol, between HTTP/1.1 connections only.
    Other,
    Connect,
}

impl TunnelKind {
    /// For the metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => WEBSOCKET,
            Self::Other => "other",
            Self::Connect => "connect",
        }
    }
}

/// A tunnel that an exchange asks for, or is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tunnel {
    pub(crate) kind: TunnelKind,
    /// WebSocket: the client's key if it speaks HTTP/1.1, else one made up for an upstream that does.
    key: [u8; KEY_LEN],
    /// The client speaks HTTP/2.
    client_http2: bool,
}

/// What an upstream's final head means for the tunnel.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    Agreed,
    /// An ordinary answer.
    Refused,
    /// Neither the one nor the other.
    Broken(Failure),
}

/// Makes of an extended CONNECT the request that it stands for.
pub(crate) fn unify(head: &mut RequestHead) {
    if head.method() == Method::Connect && !head.protocol().is_empty() {
        head.set_method(b"GET");
    }
}

/// Whether a request may ask for a tunnel: few do, and [`asked`] looks closer.
#[inline]
pub(crate) fn may_ask(head: &RequestHead) -> bool {
    head.method() == Method::Connect
        || !head.protocol().is_empty()
        || head.fields.contains(Known::Upgrade)
}

/// The tunnel that a request asks for and its route allows. An upgrade that the route does not allow
/// is no fault: the request is an ordinary one then. CONNECT means nothing but a tunnel, so it is
/// refused. `random`: 16 bytes for a key.
pub(crate) fn asked(
    head: &mut RequestHead,
    allowed: &Tunnels,
    random: impl FnOnce() -> [u8; 16],
) -> Result<Option<Tunnel>, Failure> {
    let client_http2 = head.version == Version::Http2;
    if head.method() == Method::Connect {
        if !allowed.connect {
            return refuse("CONNECT is not allowed here");
        }
        return Ok(Some(Tunnel { kind: TunnelKind::Connect, key: [0; KEY_LEN], client_http2 }));
    }
    if !head.protocol().is_empty() {
        // RFC 9220 §3: 501 to a protocol that is not supported.
        if !is_websocket(head.protocol()) || !allowed.allows(head.protocol()) {
            return refuse("an extended CONNECT to this protocol is not allowed here");
        }
        let key = encode_key(&random());
        return Ok(Some(Tunnel { kind: TunnelKind::WebSocket, key, client_http2 }));
    }
    let has_body = !matches!(head.body, BodyLength::None | BodyLength::Known(0));
    if allowed.upgrades.is_empty() || head.version != Version::Http11 || has_body {
        return Ok(None);
    }
    let may_switch = |protocol: &&[u8]| {
        allowed.allows(protocol) && (!is_websocket(protocol) || head.method() == Method::Get)
    };
    let Some(protocol) = upgrade_protocols(&head.fields).find(may_switch).map(<[u8]>::to_vec)
    else {
        return Ok(None);
    };
    let mut tunnel = Tunnel { kind: TunnelKind::Other, key: [0; KEY_LEN], client_http2 };
    if is_websocket(&protocol) {
        tunnel.kind = TunnelKind::WebSocket;
        tunnel.key = client_key(head)?;
    }
    head.set_protocol(&protocol);
    Ok(Some(tunnel))
}

/// A filter's answer must not look like an agreement to a tunnel, which then is none.
pub(crate) fn check_answer(head: &ResponseHead, asked: Option<&Tunnel>) -> Result<(), Failure> {
    if asked.is_some() && (200..300).contains(&head.status) {
        let detail = "the route answers by itself and makes no tunnels";
        return Err(Failure::downstream(FailureKind::TunnelRefused, detail));
    }
    Ok(())
}

fn refuse(detail: &'static str) -> Result<Option<Tunnel>, Failure> {
    Err(Failure::downstream(FailureKind::TunnelRefused, detail))
}

fn is_websocket(protocol: &[u8]) -> bool {
    protocol.eq_ignore_ascii_case(WEBSOCKET.as_bytes())
}

/// The key as RFC 6455 §4.2.1 has it; over HTTP/2 nobody else would look at it.
fn client_key(head: &RequestHead) -> Result<[u8; KEY_LEN], Failure> {
    let mut named = head.fields.iter().filter(|field| field.name == KEY_FIELD);
    let key = named.next().and_then(|field| <[u8; KEY_LEN]>::try_from(field.value).ok());
    let decoded = key.and_then(|key| BASE64_STANDARD.decode(key).ok());
    match (key, decoded, named.next()) {
        (Some(key), Some(bytes), None) if bytes.len() == 16 => Ok(key),
        _ => {
            let detail = "sec-websocket-key is missing or malformed";
            Err(Failure::downstream(FailureKind::BadRequest, detail))
        }
    }
}

fn encode_key(bytes: &[u8; 16]) -> [u8; KEY_LEN] {
    let mut key = [b'='; KEY_LEN];
    // Sixteen bytes fill it exactly.
    let _length = BASE64_STANDARD.encode_slice(bytes, &mut key);
    key
}

/// RFC 6455 §4.2.2.
fn accept_value(key: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha1::new().chain_update(key).chain_update(ACCEPT_SALT).finalize())
}

impl Tunnel {
    /// Makes the request fit for an upstream of the given protocol (RFC 8441 §5).
    pub(crate) fn prepare_request(&self, head: &mut RequestHead, upstream_http2: bool) {
        // Neither codec writes a length: a tunnel has no body.
        head.body = BodyLength::None;
        head.fields.remove(Known::ContentLength);
        if self.kind != TunnelKind::WebSocket {
        } else if upstream_http2 {
            head.fields.remove_named(KEY_FIELD);
        } else {
            head.fields.set_named(KEY_FIELD, &self.key);
        }
    }

    /// What a final head, or a 101, of the upstream means. `protocol`: the one that was asked for.
    pub(crate) fn judge(
        &self,
        head: &ResponseHead,
        protocol: &[u8],
        upstream_http2: bool,
    ) -> Verdict {
        let ok = (200..300).contains(&head.status);
        if self.kind == TunnelKind::Connect || upstream_http2 {
            return match head.status {
                _ if ok => Verdict::Agreed,
                101 => broken("the upstream switched protocols without being asked"),
                _ => Verdict::Refused,
            };
        }
        match head.status {
            101 => self.judge_switch(head, protocol),
            // The client would take it for an agreement.
            _ if ok && self.client_http2 => broken("the upstream did not switch protocols"),
            _ => Verdict::Refused,
        }
    }

    fn judge_switch(&self, head: &ResponseHead, protocol: &[u8]) -> Verdict {
        let mut switched = upgrade_protocols(&head.fields);
        let same = switched.next().is_some_and(|to| to.eq_ignore_ascii_case(protocol));
        if !same || switched.next().is_some() {
            return broken("the upstream switched to another protocol than it was asked to");
        }
        // The client checks the answer to its own key itself.
        if self.kind == TunnelKind::WebSocket && self.client_http2 {
            let accepted = head.fields.get_named(ACCEPT_FIELD);
            if accepted != Some(accept_value(&self.key).as_bytes()) {
                return broken("the upstream's sec-websocket-accept is wrong");
            }
        }
        Verdict::Agreed
    }

    /// Makes an agreeing head, without what was meant for the upstream's hop, fit for the client.
    pub(crate) fn prepare_response(
        &self,
        head: &mut ResponseHead,
        protocol: &[u8],
        upstream_http2: bool,
    ) {
        head.body = BodyLength::None;
        head.fields.remove(Known::ContentLength);
        if self.client_http2 || self.kind == TunnelKind::Connect {
            head.status = 200;
            head.fields.remove_named(ACCEPT_FIELD);
            return;
        }
        head.status = 101;
        head.fields.set(Known::Upgrade, protocol);
        if upstream_http2 && self.kind == TunnelKind::WebSocket {
            head.fields.set_named(ACCEPT_FIELD, accept_value(&self.key).as_bytes());
        }
    }
}

const fn broken(detail: &'static str) -> Verdict {
    Verdict::Broken(Failure::upstream(FailureKind::UpstreamProtocol, Retry::Never, detail))
}

#[cfg(test)]
mod tests;
