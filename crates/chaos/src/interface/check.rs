//! From an interface and a fault to packets and laws, or why that says too little.

use std::fmt;
use std::net::IpAddr;

use super::{InterfaceEnd, InterfaceTarget, Scope, Transport};
use crate::fault::Direction;
use crate::link::{DnsAct, Impairment, LinkFault, LossLaw};

/// Longest name of an interface, in bytes.
const NAME_BYTES_MAX: usize = 15;
const DNS_PORT: u16 = 53;

/// What is done to some of the packets that come in at an interface.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strike {
    /// Which packets.
    pub packets: PacketMatch,
    /// Which of them vanish.
    pub law: LossLaw,
}

/// Packets, by what their headers say. What is `None` is not looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketMatch {
    /// Protocol; always there with a port.
    pub protocol: Option<Transport>,
    /// Where they come from. Of one family with the destination.
    pub source: Option<IpAddr>,
    /// Port where they come from.
    pub source_port: Option<u16>,
    /// Where they go.
    pub destination: Option<IpAddr>,
    /// Port where they go.
    pub destination_port: Option<u16>,
}

/// Why a fault cannot strike an interface as it is ordered. The text says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InterfaceError {
    /// No interface can be called so.
    #[error("`{0}` is no name of an interface; it has 1 to 15 bytes, without `/`, `:` and spaces")]
    Name(String),
    /// Upstream may be in or out.
    #[error(
        "whose interface it is is not said, and it tells what comes in; add `end: server` (what comes in is upstream) or `end: client`"
    )]
    NoEnd,
    /// On loopback there is no such thing.
    #[error("both ends are behind `lo`; leave `end` out, and tell directions by `server_port`")]
    EndOfLoopback,
    /// Packets of that direction go out there.
    #[error(
        "{way} packets go out at this end, and only what comes in can be lost (a drop on the way out is an error for its sender); order that direction for an interface of the {other} end"
    )]
    GoesOut {
        /// Which way.
        way: &'static str,
        /// Where they come in.
        other: &'static str,
    },
    /// Packets of that direction come in there.
    #[error(
        "{way} packets come in at this end, and netem strikes only what goes out; order that direction for an interface of the {other} end, or on a link"
    )]
    ComesIn {
        /// Which way.
        way: &'static str,
        /// Where they go out.
        other: &'static str,
    },
    /// A queueing discipline at the root knows no scope.
    #[error(
        "netem strikes all packets that leave an interface, and a `scope` cannot narrow that; leave it out, or order a link"
    )]
    Scoped,
    /// netem strikes both directions of `lo` alike.
    #[error(
        "on `lo` packets of both directions go out, and netem strikes all alike; order it with `direction: both`"
    )]
    Alike,
    /// Which packets are upstream?
    #[error(
        "on `lo` packets of both directions come in, and nothing tells them apart; give a `protocol` with a `server_port`, or `direction: both` without a scope"
    )]
    Indistinct,
    /// A port of what?
    #[error("a port is one of TCP or of UDP; add `protocol: tcp` or `protocol: udp`")]
    NoProtocol,
    /// IPv4 to IPv6.
    #[error("{0} and {1} are not of one family; no packet goes between them")]
    Families(IpAddr, IpAddr),
    /// A filter can do nothing else.
    #[error(
        "packets that come in at an interface can be dropped, not delayed, copied, turned or answered; for {0} order a link (`target: {{link: …}}`), whose packet box can"
    )]
    NoDrop(&'static str),
    /// Queries are UDP to port 53.
    #[error("queries of DNS go over UDP to port 53; the scope excludes them")]
    NoQueries,
}

impl InterfaceTarget {
    /// Which packets are struck there, and how. Two strikes never meet the same packet, but for one
    /// whose two ports are the same.
    ///
    /// # Errors
    /// What is ambiguous or impossible, with a remedy.
    pub fn strikes(&self, fault: &LinkFault) -> Result<Vec<Strike>, InterfaceError> {
        self.check_words()?;
        let ways = [
            (Direction::Upstream, &fault.upstream, "upstream", "server's"),
            (Direction::Downstream, &fault.downstream, "downstream", "client's"),
        ];
        let mut strikes: Vec<Strike> = Vec::new();
        for (direction, impairment, way, other) in ways {
            let Some(impairment) = impairment else { continue };
            if !self.takes_in(direction)? {
                return Err(InterfaceError::GoesOut { way, other });
            }
            let (law, queries) = law(impairment)?;
            let packets = self.scope.packets(direction);
            let packets = if queries { packets.queries()? } else { packets };
            let strike = Strike { packets, law };
            if !strikes.contains(&strike) {
                strikes.push(strike);
            }
        }
        let one_way = fault.upstream.is_some() != fault.downstream.is_some();
        let queries = strikes.iter().all(|strike| strike.packets.are_queries());
        let whole = self.scope.is_bounded() || one_way;
        if self.is_loopback() && !queries && whole && !self.scope.tells_directions() {
            return Err(InterfaceError::Indistinct);
        }
        Ok(strikes)
    }

    pub(super) fn check_words(&self) -> Result<(), InterfaceError> {
        let odd = |byte: u8| byte <= b' ' || matches!(byte, b'/' | b':' | 0x7f);
        let name = self.name.as_bytes();
        let no_name = name.is_empty() || name.len() > NAME_BYTES_MAX;
        if no_name || name.iter().any(|&byte| odd(byte)) || matches!(name, b"." | b"..") {
            return Err(InterfaceError::Name(self.name.clone()));
        }
        let Scope { protocol, server, client, server_port, client_port } = self.scope;
        if protocol.is_none() && (server_port.is_some() || client_port.is_some()) {
            return Err(InterfaceError::NoProtocol);
        }
        match (server, client) {
            (Some(server), Some(client)) if server.is_ipv4() != client.is_ipv4() => {
                Err(InterfaceError::Families(server, client))
            }
            _ => Ok(()),
        }
    }

    fn takes_in(&self, direction: Direction) -> Result<bool, InterfaceError> {
        match (self.is_loopback(), self.end) {
            (true, None) => Ok(true),
            (true, Some(_)) => Err(InterfaceError::EndOfLoopback),
            (false, None) => Err(InterfaceError::NoEnd),
            (false, Some(InterfaceEnd::Server)) => Ok(direction == Direction::Upstream),
            (false, Some(InterfaceEnd::Client)) => Ok(direction == Direction::Downstream),
        }
    }
}

impl Scope {
    fn packets(&self, direction: Direction) -> PacketMatch {
        let (server, client) = ((self.server, self.server_port), (self.client, self.client_port));
        let (from, to) =
            if direction == Direction::Downstream { (server, client) } else { (client, server) };
        PacketMatch {
            protocol: self.protocol,
            source: from.0,
            source_port: from.1,
            destination: to.0,
            destination_port: to.1,
        }
    }

    /// Whether no packet of one direction could be taken for one of the other, where both are seen.
    fn tells_directions(&self) -> bool {
        let addresses = self.server.is_some() && self.client.is_some();
        self.server_port != self.client_port || (addresses && self.server != self.client)
    }
}

impl PacketMatch {
    /// Those that are queries of DNS.
    fn queries(self) -> Result<Self, InterfaceError> {
        let excluded = self.protocol == Some(Transport::Tcp)
            || self.destination_port.is_some_and(|port| port != DNS_PORT);
        if excluded {
            return Err(InterfaceError::NoQueries);
        }
        Ok(Self { protocol: Some(Transport::Udp), destination_port: Some(DNS_PORT), ..self })
    }

    fn are_queries(&self) -> bool {
        self.protocol == Some(Transport::Udp) && self.destination_port == Some(DNS_PORT)
    }

    /// Whether they are IPv4 (or IPv6), if that is looked at.
    pub fn is_ipv4(&self) -> Option<bool> {
        self.source.or(self.destination).map(|address| address.is_ipv4())
    }
}

/// What is lost, and whether only of queries of DNS.
fn law(impairment: &Impairment) -> Result<(LossLaw, bool), InterfaceError> {
    Ok(match *impairment {
        Impairment::Partition => (LossLaw::Bernoulli { share: 1.0 }, false),
        Impairment::Loss(law) => (law, false),
        Impairment::Dns { share, act: DnsAct::Drop } => (LossLaw::Bernoulli { share }, true),
        Impairment::Delay { .. } => return Err(InterfaceError::NoDrop("a delay")),
        Impairment::Reorder { .. } => return Err(InterfaceError::NoDrop("reordering")),
        Impairment::Duplicate { .. } => return Err(InterfaceError::NoDrop("copies")),
        Impairment::Corrupt { .. } => return Err(InterfaceError::NoDrop("turned bits")),
        Impairment::Bandwidth { .. } => return Err(InterfaceError::NoDrop("a bandwidth")),
        Impairment::Reset { .. } => return Err(InterfaceError::NoDrop("resets")),
        Impairment::Dns { .. } => return Err(InterfaceError::NoDrop("answers of DNS")),
    })
}

impl fmt::Display for PacketMatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return formatter.write_str("all packets");
        }
        match self.protocol {
            Some(Transport::Tcp) => formatter.write_str("TCP packets")?,
            Some(Transport::Udp) => formatter.write_str("UDP packets")?,
            None => formatter.write_str("packets")?,
        }
        let sides = [
            ("from", self.source, self.source_port),
            ("to", self.destination, self.destination_port),
        ];
        for (word, address, port) in sides {
            match (address, port) {
                (Some(address), Some(port)) => write!(formatter, " {word} {address} port {port}")?,
                (Some(address), None) => write!(formatter, " {word} {address}")?,
                (None, Some(port)) => write!(formatter, " {word} port {port}")?,
                (None, None) => {}
            }
        }
        Ok(())
    }
}
