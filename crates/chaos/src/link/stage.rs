//! One impairment at work: what it does to the next packet.

use std::time::Duration;

use super::flow::FlowTable;
use super::jitter::JitterState;
use super::loss::LossState;
use super::rate::Rate;
use super::{Arrival, DnsAct, Impairment, PacketKind, Reply, ResetLaw};
use crate::fault::ReorderPolicy;
use crate::{Effect, Random};

/// An impairment with its chances and its memory.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    work: Work,
    random: Random,
    /// Packets that came.
    pub(super) seen: u64,
    /// Packets that it did something to.
    pub(super) struck: u64,
    /// Of both, those of others than the lab.
    pub(super) effect: Effect,
}

#[derive(Clone, Debug)]
enum Work {
    Partition,
    Loss(LossState),
    Delay { base: Duration, jitter: Option<JitterState>, loose: bool },
    Reorder { share: f64, hold_back: Duration },
    Duplicate { share: f64 },
    Corrupt { share: f64 },
    Bandwidth(Rate),
    Reset { share: f64 },
    ResetAfter { bytes: u32, flows: FlowTable },
    Dns { share: f64, act: DnsAct, seed: u64 },
}

/// A packet between two stages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passing {
    /// When it goes on.
    pub(super) at: Duration,
    /// Others may overtake it, and it others.
    pub(super) loose: bool,
    /// The bit that is turned.
    pub(super) flip: Option<u32>,
}

/// What a stage does with a packet.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Passes(Passing),
    PassesTwice(Passing),
    Lost,
    Cut,
    Overflows,
    Replies(Reply),
}

impl Stage {
    pub(super) fn new(impairment: &Impairment, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let work = match *impairment {
            Impairment::Partition => Work::Partition,
            Impairment::Loss(law) => Work::Loss(LossState::new(law, &mut random)),
            Impairment::Delay { base, jitter, reorder } => Work::Delay {
                base,
                jitter: jitter.map(JitterState::new),
                loose: reorder == ReorderPolicy::Allow,
            },
            Impairment::Reorder { share, hold_back } => Work::Reorder { share, hold_back },
            Impairment::Duplicate { share } => Work::Duplicate { share },
            Impairment::Corrupt { share } => Work::Corrupt { share },
            Impairment::Bandwidth { bytes_per_second, burst_bytes, queue_bytes } => {
                Work::Bandwidth(Rate::new(bytes_per_second, burst_bytes, queue_bytes))
            }
            Impairment::Reset { law: ResetLaw::Share(share) } => Work::Reset { share },
            Impairment::Reset { law: ResetLaw::AfterBytes(bytes) } => {
                Work::ResetAfter { bytes, flows: FlowTable::new() }
            }
            Impairment::Dns { share, act } => Work::Dns { share, act, seed },
        };
        Self { work, random, seen: 0, struck: 0, effect: Effect::default() }
    }

    pub(super) fn pass(&mut self, packet: Passing, arrival: Arrival) -> Fate {
        let Arrival { length, kind, is_probe, .. } = arrival;
        self.seen += 1;
        self.effect.seen += u64::from(!is_probe);
        let random = &mut self.random;
        let fate = match &mut self.work {
            Work::Partition => Fate::Cut,
            Work::Loss(loss) => {
                if !loss.strikes(random) {
                    return Fate::Passes(packet);
                }
                Fate::Lost
            }
            Work::Delay { base, jitter, loose } => {
                let delay = match jitter {
                    Some(jitter) => jitter.apply(*base, packet.at, random),
                    None => *base,
                };
                Fate::Passes(Passing {
                    at: packet.at + delay,
                    loose: packet.loose | *loose,
                    ..packet
                })
            }
            Work::Reorder { share, hold_back } if random.unit() < *share => {
                Fate::Passes(Passing { at: packet.at + *hold_back, loose: true, ..packet })
            }
            Work::Duplicate { share } if random.unit() < *share => Fate::PassesTwice(packet),
            Work::Corrupt { share } if random.unit() < *share => {
                let bit = random.below(8 * length as u64) as u32;
                Fate::Passes(Passing { flip: Some(bit), ..packet })
            }
            Work::Bandwidth(rate) => match rate.pass(packet.at, length) {
                Some(at) => Fate::Passes(Passing { at, ..packet }),
                None => Fate::Overflows,
            },
            Work::Reset { share } if has_data(kind) && random.unit() < *share => {
                Fate::Replies(Reply::Reset)
            }
            Work::ResetAfter { bytes, flows } => match kind {
                PacketKind::Tcp(tcp) if flows.passed(tcp) > u64::from(*bytes) => {
                    Fate::Replies(Reply::Reset)
                }
                _ => return Fate::Passes(packet),
            },
            Work::Dns { share, act, seed } if strikes_query(kind, *seed, *share, random) => {
                act.fate(packet)
            }
            Work::Reorder { .. }
            | Work::Duplicate { .. }
            | Work::Corrupt { .. }
            | Work::Reset { .. }
            | Work::Dns { .. } => return Fate::Passes(packet),
        };
        self.struck += 1;
        self.effect.hits += u64::from(!is_probe);
        fate
    }
}

const fn has_data(kind: PacketKind) -> bool {
    matches!(kind, PacketKind::Tcp(tcp) if tcp.bytes > 0)
}

/// TCP sends a query again that does not arrive: the chance of both is one.
fn strikes_query(kind: PacketKind, seed: u64, share: f64, random: &mut Random) -> bool {
    match kind {
        PacketKind::DnsQuery => random.unit() < share,
        PacketKind::Tcp(tcp) if tcp.is_dns_query => {
            Random::new(seed ^ tcp.identity()).unit() < share
        }
        _ => false,
    }
}

impl DnsAct {
    fn fate(self, packet: Passing) -> Fate {
        match self {
            Self::Answer { code } => Fate::Replies(Reply::Dns { code }),
            Self::Drop => Fate::Lost,
            Self::HoldBack { by } => {
                Fate::Passes(Passing { at: packet.at + by, loose: true, ..packet })
            }
        }
    }
}
