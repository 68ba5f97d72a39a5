//! A checked fault: what each direction of a link does.

use std::time::Duration;

use super::{Jitter, LossLaw, TcpPacket};
use crate::fault::{Direction, NetworkFaultError, ReorderPolicy};

/// What one declared fault does to a link.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkFault {
    /// From the client's end to the server's.
    pub upstream: Option<Impairment>,
    /// From the server's end to the client's.
    pub downstream: Option<Impairment>,
    /// What was converted, and what may surprise: for people.
    pub notes: Vec<String>,
}

/// What happens to the packets of one direction. Shares are from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Impairment {
    /// None passes.
    Partition,
    /// Some vanish.
    Loss(LossLaw),
    /// They come later.
    Delay {
        /// Middle or least delay.
        base: Duration,
        /// What is added to it or taken from it.
        jitter: Option<Jitter>,
        /// Whether they may overtake each other.
        reorder: ReorderPolicy,
    },
    /// Some are held back, so that others overtake them.
    Reorder {
        /// How many.
        share: f64,
        /// For how long.
        hold_back: Duration,
    },
    /// Some come twice.
    Duplicate {
        /// How many.
        share: f64,
    },
    /// Some have one bit turned.
    Corrupt {
        /// How many.
        share: f64,
    },
    /// They pass at a rate.
    Bandwidth {
        /// Bytes of IP packets in a second.
        bytes_per_second: f64,
        /// Bytes that pass at once after a pause.
        burst_bytes: u32,
        /// Bytes that may wait.
        queue_bytes: u32,
    },
    /// Some with data of TCP end their connection.
    Reset {
        /// Which.
        law: ResetLaw,
    },
    /// Some queries of DNS fail.
    Dns {
        /// How many.
        share: f64,
        /// How.
        act: DnsAct,
    },
}

/// Which packets of TCP end their connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ResetLaw {
    /// This share of those with data, 0 to 1.
    Share(f64),
    /// The first of a connection that goes beyond so many bytes of data.
    AfterBytes(u32),
}

/// What becomes of a query of DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsAct {
    /// The link answers it.
    Answer {
        /// Response code (RFC 1035, section 4.1.1).
        code: u8,
    },
    /// It vanishes.
    Drop,
    /// It goes on later; others overtake it.
    HoldBack {
        /// How much later.
        by: Duration,
    },
}

/// What a carrier has found out about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketKind {
    /// A segment of TCP with data, or one that begins a connection.
    Tcp(TcpPacket),
    /// A query of DNS over UDP.
    DnsQuery,
    /// Another, or nobody has looked.
    Other,
}

/// A packet that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Length in bytes.
    pub length: usize,
    /// Where the carrier keeps its bytes.
    pub slot: u32,
    /// What it is.
    pub kind: PacketKind,
    /// Whether the lab itself has sent it, to see what becomes of it: no effect on anybody.
    pub is_probe: bool,
}

/// What a carrier is to send back for a packet that does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A reset to both ends of its connection.
    Reset,
    /// An answer to its sender with this response code.
    Dns {
        /// See [`DnsAct::Answer`].
        code: u8,
    },
}

impl LinkFault {
    pub(crate) fn towards(
        direction: Option<Direction>,
        impairment: Impairment,
    ) -> Result<Self, NetworkFaultError> {
        let direction = direction.ok_or(NetworkFaultError::NoDirection)?;
        let strikes = |way| direction == Direction::Both || direction == way;
        Ok(Self {
            upstream: strikes(Direction::Upstream).then_some(impairment),
            downstream: strikes(Direction::Downstream).then_some(impairment),
            notes: Vec::new(),
        })
    }

    pub(crate) fn with_notes(self, notes: Vec<String>) -> Self {
        Self { notes, ..self }
    }
}
