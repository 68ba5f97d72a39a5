//! An interface that exists already as the place of a fault: which of the packets that come in there
//! are struck, and by which law.
//!
//! Filters strike only what *comes in*. A drop of theirs on the way out is an error for the sender
//! (`EPERM`) and no loss: TCP then counts no retransmission. netem strikes what *goes out*, and as the
//! queue of the interface it is silent about its losses.

mod check;
mod leaving;

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use check::{InterfaceError, PacketMatch, Strike};

/// A network interface of this host.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterfaceTarget {
    /// Its name, 1 to 15 bytes: `eth0`, `lo`.
    pub name: String,
    /// The network namespace in which it is, as a file: `/run/netns/blue`, `/proc/4711/ns/net`.
    /// Without it that of the lab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<PathBuf>,
    /// Whose it is, which says what *upstream* means there: what comes in at the server's end comes
    /// from the client. Required but for `lo`, where both ends are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<InterfaceEnd>,
    /// Which packets may be struck; all, if it says nothing.
    #[serde(default, skip_serializing_if = "Scope::is_open")]
    pub scope: Scope,
    /// What is to carry the fault.
    #[serde(default)]
    pub carrier: CarrierChoice,
}

/// The end of the traffic at which an interface is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InterfaceEnd {
    /// The client's: what comes in is *downstream*.
    Client,
    /// The server's: what comes in is *upstream*.
    Server,
}

/// What carries faults of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CarrierChoice {
    /// Whatever can carry the fault on this host.
    #[default]
    Auto,
    /// The packet box of a link that the lab makes.
    Box,
    /// A table of nftables on ingress.
    Nftables,
    /// A program of BPF on ingress (TCX).
    Bpf,
    /// The queueing discipline of that name, on egress.
    Netem,
}

/// Which packets may be struck. What is not said is not looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Only packets of this protocol. Required with a port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Transport>,
    /// Address of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<IpAddr>,
    /// Port of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_port: Option<u16>,
    /// Address of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// Port of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_port: Option<u16>,
}

/// A protocol with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl InterfaceTarget {
    /// An interface of the lab's own namespace, all of it.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            namespace: None,
            end: None,
            scope: Scope::default(),
            carrier: CarrierChoice::Auto,
        }
    }

    /// Whether an interface that is listed so is this one, whichever of its packets are struck and by
    /// what. Without a namespace it is that of every namespace.
    pub(crate) fn stands_for(&self, other: &Self) -> bool {
        let anywhere = self.namespace.is_none();
        self.name == other.name && (anywhere || self.namespace == other.namespace)
    }

    /// Whether both ends of its traffic are behind it.
    pub fn is_loopback(&self) -> bool {
        self.name == "lo"
    }
}

impl Scope {
    /// Whether every packet may be struck.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an address or a port bounds what may be struck.
    pub const fn is_bounded(&self) -> bool {
        self.server.is_some()
            || self.server_port.is_some()
            || self.client.is_some()
            || self.client_port.is_some()
    }

    /// Whether traffic of a server at this address may be struck.
    pub fn covers(&self, protocol: Transport, server: IpAddr, port: u16) -> bool {
        let admits = |asked: Option<IpAddr>| {
            asked.is_none_or(|asked| asked == server || server.is_unspecified())
        };
        self.protocol.is_none_or(|asked| asked == protocol)
            && admits(self.server)
            && self.server_port.is_none_or(|asked| asked == port)
    }
}

impl Transport {
    /// Number of the protocol (IANA).
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

#[cfg(test)]
mod tests;
