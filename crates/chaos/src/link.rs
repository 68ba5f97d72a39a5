//! One link as a model: what happens to a packet that enters it, and when it leaves.
//!
//! Pure: a [`Lane`] (one direction) is given the time of each packet and draws chances from its seed.
//! Times are durations since a beginning that the carrier chooses. Each declared fault becomes a
//! stage of the lanes that it strikes; a packet goes through the stages in the order in which they
//! came, and then waits in the lane until its time.

mod expectation;
mod flow;
mod impairment;
mod jitter;
mod lane;
mod loss;
mod rate;
mod stage;

pub use expectation::{Expectation, Judgement, Tally};
pub use flow::TcpPacket;
pub use impairment::{Arrival, DnsAct, Impairment, LinkFault, PacketKind, Reply, ResetLaw};
pub use jitter::{Jitter, JitterLaw};
pub use lane::{
    COPIES_MAX, HELD_BYTES_MAX, HELD_PACKETS_MAX, Lane, LaneCounts, Pushed, Released, STAGES_MAX,
    StageKey, StageReport, TooManyFaults,
};
pub use loss::LossLaw;
