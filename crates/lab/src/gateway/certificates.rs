//! Whether clients of a gateway are shown certificates that have expired: handshakes of the lab's own with each
//! of its listeners.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bulkhead_chaos::gateway::CertificateSide;
use bulkhead_chaos::{Fault, FaultReport, FaultState, GatewayFault, Order};
use bulkhead_transport::ShownCertificate;
use serde_json::{Value, json};

use super::{address, admin};
use crate::{Evidence, Handle, InjectError, Refusal, Surroundings};

/// Listeners that are looked at.
const LISTENERS_MAX: usize = 8;

/// The name that clients ask for, if their certificates are the ones that expire; `Some(None)`: any.
pub(super) fn asked_for(fault: &Fault) -> Option<Option<&str>> {
    match fault {
        Fault::Gateway(GatewayFault::ExpireCertificates {
            side: CertificateSide::Client,
            host,
            ..
        }) => Some(host.as_deref()),
        _ => None,
    }
}

/// What is shown before the fault, for the handle.
///
/// # Errors
/// Nothing can be looked at, or it has expired already.
pub(super) fn before(
    order: &Order,
    host: Option<&str>,
    around: Surroundings,
) -> Result<Value, Refusal> {
    let remedy = "name a gateway with a `tls` listener that the lab reaches over TCP, and without the PROXY protocol";
    let shown = shown(order, host, around).map_err(|why| Refusal::new(why.to_string(), remedy))?;
    if shown.is_empty() {
        return Err(Refusal::new("the gateway has no listener that shows certificates", remedy));
    }
    if let Some((address, _)) = shown.iter().find(|(_, it)| has_expired(it, around)) {
        let reason = format!("the certificate at {address} has expired already");
        return Err(Refusal::new(reason, "renew it, or ask for another `host`"));
    }
    Ok(shown.iter().map(|(address, it)| (address.to_string(), json!(it.not_after))).collect())
}

/// Whether all that is shown has expired.
pub(super) fn during(
    order: &Order,
    host: Option<&str>,
    around: Surroundings,
) -> Result<Evidence, InjectError> {
    let shown = shown(order, host, around)?;
    let holds = !shown.is_empty() && shown.iter().all(|(_, it)| has_expired(it, around));
    Ok(Evidence { holds, seen: tell(&shown, around) })
}

/// Whether nothing that is shown has expired, but what had this end before, or what another fault of the
/// kind makes expire.
pub(super) fn after(
    order: &Order,
    host: Option<&str>,
    handle: &Handle,
    around: Surroundings,
) -> Result<Evidence, InjectError> {
    let shown = shown(order, host, around)?;
    let had = |address: &SocketAddr| handle["certificates"][address.to_string()].as_u64();
    let mut left = shown
        .iter()
        .filter(|(address, it)| has_expired(it, around) && had(address) != Some(it.not_after));
    let mut seen = tell(&shown, around);
    let gone = left.next().is_none();
    let another = !gone && is_another_in_force(order, host, around)?;
    if another {
        seen.push_str("; another fault of the kind is in force");
    }
    Ok(Evidence { holds: gone || another, seen })
}

/// Of those that strike the name that was asked for.
fn is_another_in_force(
    order: &Order,
    host: Option<&str>,
    around: Surroundings,
) -> Result<bool, InjectError> {
    let reply = admin(order, around)?.ask("GET", "/faults", None)?;
    let document: Value = serde_json::from_slice(&reply.body)
        .map_err(|error| InjectError::Transient(error.to_string()))?;
    let faults = document["faults"].as_array().into_iter().flatten();
    let mut reports =
        faults.filter_map(|it| serde_json::from_value::<FaultReport>(it.clone()).ok());
    Ok(reports.any(|it| {
        let other = it.rule.as_ref().and_then(|rule| asked_for(&rule.fault));
        let is_one = other.is_some_and(|other| match (other, host) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(other), Some(host)) => other.eq_ignore_ascii_case(host),
        });
        is_one && it.state == FaultState::Active && it.id != order.id.to_string()
    }))
}

fn has_expired(shown: &ShownCertificate, around: Surroundings) -> bool {
    shown.not_after <= around.unix.as_secs()
}

fn tell(shown: &[(SocketAddr, ShownCertificate)], around: Surroundings) -> String {
    if shown.is_empty() {
        return "no listener shows certificates".to_owned();
    }
    let now = around.unix.as_secs();
    let one = |(address, it): &(SocketAddr, ShownCertificate)| match now.checked_sub(it.not_after) {
        Some(ago) => format!("{address} shows a certificate that expired {ago} s ago"),
        None => format!("{address} shows one that is valid for {} s more", it.not_after - now),
    };
    shown.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// What each listener with TLS shows a client that asks for `host`.
///
/// # Errors
/// The admin server does not tell the listeners, or none of them could be looked at.
fn shown(
    order: &Order,
    host: Option<&str>,
    around: Surroundings,
) -> Result<Vec<(SocketAddr, ShownCertificate)>, InjectError> {
    let listeners = listeners(order, around)?;
    let (mut shown, mut failure) = (Vec::new(), None);
    for at in listeners {
        match look(at, host, around.deadline) {
            Ok(certificate) => shown.push((at, certificate)),
            Err(error) => failure = Some(format!("no handshake with {at}: {error}")),
        }
    }
    match failure {
        Some(failure) if shown.is_empty() => Err(InjectError::Unknown(failure)),
        _ => Ok(shown),
    }
}

fn listeners(order: &Order, around: Surroundings) -> Result<Vec<SocketAddr>, InjectError> {
    let own = address(order).map_err(InjectError::Permanent)?;
    let reply = admin(order, around)?.ask("GET", "/listeners", None)?;
    if reply.status != 200 {
        return Err(InjectError::Permanent("the gateway does not tell its listeners".to_owned()));
    }
    let document: Value = serde_json::from_slice(&reply.body)
        .map_err(|error| InjectError::Transient(error.to_string()))?;
    let listeners = document["listeners"].as_array().into_iter().flatten();
    let secure = listeners.filter(|it| it["tls"] == json!(true));
    let addresses = secure.filter_map(|it| it["address"].as_str()?.parse::<SocketAddr>().ok());
    // One that listens everywhere does so where its admin server was reached.
    let reachable = addresses.map(|at| match at.ip().is_unspecified() {
        true => SocketAddr::new(own.ip(), at.port()),
        false => at,
    });
    Ok(reachable.take(LISTENERS_MAX).collect())
}

fn look(at: SocketAddr, host: Option<&str>, deadline: Instant) -> io::Result<ShownCertificate> {
    let mut stream = Until { stream: TcpStream::connect_timeout(&at, left(deadline)?)?, deadline };
    stream.stream.set_nodelay(true)?;
    ShownCertificate::of(host, &mut stream)
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// A connection on which nothing is later than a deadline.
struct Until {
    stream: TcpStream,
    deadline: Instant,
}

impl Read for Until {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.deadline)?))?;
        self.stream.read(buffer)
    }
}

impl Write for Until {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(left(self.deadline)?))?;
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
