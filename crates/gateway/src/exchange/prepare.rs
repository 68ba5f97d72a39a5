//! A request before it is routed, and before it is sent on: what every one is held to, and what is
//! changed in each.

use std::net::IpAddr;

use bulkhead_filter::Response;
use bulkhead_message::{
    BodyLength, Failure, FailureKind, Known, Method, Normalized, RequestHead, ResponseHead,
    strip_hop_by_hop,
};
use bulkhead_transport::Channel;
use bulkhead_upstream::Rng;

use crate::clock;
use crate::exchange_state::Exchange;
use crate::intake::{Hop, Intake, Origin};

/// What is known of a request when it is routed.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) origin: Origin,
    /// What the client asked for, if the upstream is to be told.
    pub(super) authority: Vec<u8>,
    /// The answer, if its path has another spelling that the client is to use.
    pub(super) redirect: Option<Box<Response>>,
}

/// Takes a request in: who asked, its id, the spelling of its path.
pub(super) fn receive(
    exchange: &mut Exchange,
    intake: &Intake,
    rng: &mut Rng,
) -> Result<Received, Failure> {
    let head = &mut exchange.request;
    let origin = intake.forwarding.origin(&head.fields, exchange.client, exchange.secure);
    exchange.client = origin.client;
    exchange.secure = origin.secure;
    if let Some(ids) = &intake.request_ids {
        ids.assign(&mut head.fields, origin.trusted, clock::unix(), rng);
    }
    let redirect = spell_path(head, intake, origin.secure)?;
    let tells = intake.forwarding.tells_authority();
    let authority = if tells { head.authority().to_vec() } else { Vec::new() };
    Ok(Received { origin, authority, redirect })
}

/// Gives the path its one spelling, or a redirect to it.
fn spell_path(
    head: &mut RequestHead,
    intake: &Intake,
    secure: bool,
) -> Result<Option<Box<Response>>, Failure> {
    // CONNECT has no path.
    let Some(rules) = intake.path.filter(|_| head.method() != Method::Connect) else {
        return Ok(None);
    };
    let mut target = Vec::new();
    let spelled = rules.normalize(head.target(), &mut target);
    let refused = |detail| Failure::downstream(FailureKind::BadRequest, detail);
    match spelled.map_err(|cause| refused(cause.detail()))? {
        Normalized::Unchanged => Ok(None),
        Normalized::Changed => {
            head.set_target(&target);
            Ok(None)
        }
        Normalized::Redirect if head.has_authority() => {
            // With the authority: `//a` alone would lead to another host.
            let scheme: &[u8] = if secure { b"https://" } else { b"http://" };
            let location = [scheme, head.authority(), &target].concat();
            let mut answer = ResponseHead::new(307);
            answer.fields.push_known(Known::Location, &location);
            answer.body = BodyLength::Known(0);
            Ok(Some(Box::new(Response { head: answer, body: Vec::new() })))
        }
        Normalized::Redirect => Err(refused("the path has an encoded slash")),
    }
}

/// Refuses what no route could take.
pub(super) fn check_request(
    head: &RequestHead,
    body_bytes_max: Option<u64>,
) -> Result<(), Failure> {
    if let (BodyLength::Known(length), Some(max)) = (head.body, body_bytes_max)
        && length > max
    {
        let detail = "the request body is larger than `body_bytes_max`";
        return Err(Failure::downstream(FailureKind::BodyTooLarge, detail));
    }
    Ok(())
}

/// Refuses a request for another host than the one that the TLS handshake was for: a client may send
/// such on a connection that its certificate covers (RFC 9110 §7.4, RFC 9113 §9.1.1). Without a
/// name in the handshake only an address may be asked for.
pub(super) fn check_server_name(authority: &[u8], channel: &Channel) -> Result<(), Failure> {
    let name = channel.tls_info().and_then(|info| info.server_name);
    if is_for(authority, name) {
        return Ok(());
    }
    let detail = "the request is for another host than the connection";
    Err(Failure::downstream(FailureKind::Misdirected, detail))
}

fn is_for(authority: &[u8], name: Option<&str>) -> bool {
    let host = host_of(authority);
    match name {
        Some(name) => {
            let host = host.strip_suffix(b".").unwrap_or(host);
            !host.is_empty() && host.eq_ignore_ascii_case(name.as_bytes())
        }
        None => {
            let host =
                host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host);
            std::str::from_utf8(host).is_ok_and(|host| host.parse::<IpAddr>().is_ok())
        }
    }
}

/// An authority without its port.
fn host_of(authority: &[u8]) -> &[u8] {
    let from = if authority.first() == Some(&b'[') {
        authority.iter().position(|&byte| byte == b']').unwrap_or(0)
    } else {
        0
    };
    let colon = authority.iter().skip(from).position(|&byte| byte == b':');
    authority.get(..colon.map_or(authority.len(), |at| at + from)).unwrap_or(authority)
}

/// Names a host where the client did not (HTTP/1.0): the address that it found us at. Upstreams need
/// one, and many refuse an empty one.
pub(super) fn name_host(head: &mut RequestHead, channel: &Channel) {
    if head.has_authority() {
        return;
    }
    match channel.local_addr() {
        Ok(address) => head.set_authority(address.to_string().as_bytes()),
        Err(_) => head.set_authority(b"localhost"),
    }
}

/// Makes the client's head fit for the upstream: drops what is for this hop, says who asked.
pub(super) fn prepare_request(
    head: &mut RequestHead,
    intake: &Intake,
    hop: &Hop<'_>,
    rng: &mut Rng,
) {
    strip_hop_by_hop(&mut head.fields);
    intake.forwarding.tell(head, hop);
    if let Some(ids) = &intake.request_ids
        && ids.of(&head.fields).is_none()
    {
        // The client named it in `connection`, or a filter removed it.
        ids.assign(&mut head.fields, false, clock::unix(), rng);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_compared_without_case_port_and_final_dot() {
        for (authority, name, expect) in [
            ("a.example", Some("a.example"), true),
            ("A.Example.:8443", Some("a.example"), true),
            ("b.example", Some("a.example"), false),
            ("a.example.b", Some("a.example"), false),
            ("", Some("a.example"), false),
            ("192.0.2.1:443", None, true),
            ("[2001:db8::1]:443", None, true),
            ("a.example", None, false),
            ("", None, false),
            ("192.0.2.1", Some("a.example"), false),
        ] {
            assert_eq!(is_for(authority.as_bytes(), name), expect, "{authority} {name:?}");
        }
    }
}
