//! Faults in the packets of a link.
//!
//! Every share counts wire packets: IP packets of at most the MTU, never a batch of segments that the
//! kernel has not cut yet. A declaration becomes a [`LinkFault`] by [`NetworkFault::check`], which
//! refuses what can be read in two ways.

mod check;

use serde::{Deserialize, Serialize};

pub use check::NetworkFaultError;

/// What happens to packets. Several may strike one link: shares then combine as independent ones,
/// and delays add up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum NetworkFault {
    /// No packet passes.
    Partition(Partition),
    /// Some packets vanish.
    Loss(Loss),
    /// Packets come later.
    Delay(Delay),
    /// Some packets come after ones that were sent later.
    Reorder(Reorder),
    /// Some packets come twice.
    Duplicate(Share),
    /// Some packets come with one bit turned, anywhere in them.
    Corrupt(Share),
    /// Packets pass no faster than this; what does not fit into the queue is dropped.
    Bandwidth(Bandwidth),
    /// TCP connections are ended by a reset.
    Reset(Reset),
    /// Queries of DNS fail.
    Dns(Dns),
}

/// Which way packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the client's end of the link to the server's.
    Upstream,
    /// From the server's end to the client's.
    Downstream,
    /// Each of the two, with chances of its own.
    Both,
}

/// What a share or a delay is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Each direction that is named has that much.
    Direction,
    /// A packet and its answer together have that much.
    RoundTrip,
}

/// A link that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Which way nothing passes. Required.
    #[serde(default)]
    pub direction: Option<Direction>,
}

/// Packets that vanish.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// Which way. Required.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// What the share is of. Required when the direction is `both`.
    #[serde(default)]
    pub per: Option<Per>,
    /// Which packets.
    pub model: LossModel,
}

/// Which packets vanish.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum LossModel {
    /// Each with this chance, whatever happened to others.
    Bernoulli {
        /// Over 0 and up to 100.
        percent: f64,
    },
    /// Bursts: a chain of two states, good and bad, that may change with each packet
    /// (Gilbert 1960, Elliott 1963).
    GilbertElliott {
        /// Chance to go from good to bad, over 0 and up to 100.
        to_bad_percent: f64,
        /// Chance to go from bad to good, over 0 and up to 100.
        to_good_percent: f64,
        /// Share that is lost in the bad state.
        #[serde(default = "all")]
        loss_in_bad_percent: f64,
        /// Share that is lost in the good state.
        #[serde(default)]
        loss_in_good_percent: f64,
    },
    /// One of each `every` packets, the last of them: no chance at all.
    Nth {
        /// 1 (all) to 1,000,000.
        every: u32,
    },
}

const fn all() -> f64 {
    100.0
}

/// Packets that come later.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// Which way. Required.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// Whether each direction has this delay, or both together. Required when the direction is `both`.
    #[serde(default)]
    pub per: Option<Per>,
    /// Middle of the delays (their least for `pareto`), in milliseconds, up to 60,000.
    pub base_ms: f64,
    /// How far they spread, in milliseconds; what of, the distribution says.
    #[serde(default)]
    pub jitter_ms: f64,
    /// How they spread. Required with a jitter.
    #[serde(default)]
    pub distribution: Option<Distribution>,
    /// Whether a packet may overtake another because its delay is shorter. Required with a jitter.
    #[serde(default)]
    pub reorder: Option<ReorderPolicy>,
    /// A delay that was drawn serves all packets of so many milliseconds; 0 draws for each packet.
    /// Without it a busy link whose order is preserved shows little but its longest delays.
    #[serde(default)]
    pub hold_ms: f64,
}

/// How delays spread around the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Each delay from base − jitter to base + jitter is as likely as any other.
    Uniform,
    /// The jitter is the standard deviation; what lies beyond three of them is drawn again.
    Normal,
    /// A long tail above the base: Lomax with shape 3 and the jitter as scale, so that the mean lies
    /// half a jitter above the base; at most 20 jitters above it.
    Pareto,
}

/// Whether delays may change the order of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReorderPolicy {
    /// A packet leaves no earlier than those before it: as in one queue.
    Preserve,
    /// Each leaves when its own delay is over: as on many ways. TCP takes this for loss.
    Allow,
}

/// Packets that are overtaken.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reorder {
    /// Which way. Required.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// Share that is held back, over 0 and up to 100.
    pub percent: f64,
    /// For how long, in milliseconds, up to 60,000. Those that follow within this time overtake.
    pub hold_back_ms: f64,
}

/// A share of the packets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Which way. Required.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// Over 0 and up to 100.
    pub percent: f64,
}

/// A bottleneck: a token bucket that delays, in front of it a queue that drops at its tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bandwidth {
    /// Which way; with `both` each direction has so much. Required.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// Bits of IP packets in a second, at least 8,000.
    pub bits_per_second: u64,
    /// Bytes that may pass at once after a pause; at least one packet passes.
    #[serde(default)]
    pub burst_bytes: u32,
    /// Bytes that may wait, 1,500 to 16 MiB. More is dropped and counted as overflow, not as loss.
    pub queue_bytes: u32,
}

/// TCP connections that are reset: the packet that is struck does not pass, and both ends are sent an RST.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// Which way the packets go that may be struck. Required.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// Share of the packets with data that end their connection, over 0 and up to 100. Either this or
    /// `after_bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// Each connection ends when so many bytes of its data have passed, up to 1 GiB: with the first packet
    /// that goes beyond them. Of a connection that was there before the fault, those are counted that
    /// come after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_bytes: Option<u32>,
}

/// Queries of DNS that the link answers itself, holds back or drops: to port 53, with one question, over UDP or
/// alone in a segment of TCP. A connection on which a query was answered is over.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// Which way the queries go. Required.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// Share of them, over 0 and up to 100.
    pub percent: f64,
    /// What becomes of them.
    pub failure: DnsFailure,
}

/// What becomes of a query of DNS.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum DnsFailure {
    /// The answer is that there is no such name (`NXDOMAIN`, code 3).
    Nxdomain,
    /// The answer is that the server failed (`SERVFAIL`, code 2).
    Servfail,
    /// The answer is that the server does not want to (`REFUSED`, code 5).
    Refused,
    /// There is no answer.
    Timeout,
    /// It comes later.
    Slow {
        /// By so many milliseconds, up to 60,000.
        by_ms: f64,
    },
}

impl NetworkFault {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Partition(_) => "network.partition",
            Self::Loss(_) => "network.loss",
            Self::Delay(_) => "network.delay",
            Self::Reorder(_) => "network.reorder",
            Self::Duplicate(_) => "network.duplicate",
            Self::Corrupt(_) => "network.corrupt",
            Self::Bandwidth(_) => "network.bandwidth",
            Self::Reset(_) => "network.reset",
            Self::Dns(_) => "network.dns",
        }
    }
}

#[cfg(test)]
mod tests;
