//! From a declaration to what each direction of a link does, or why it says too little or too much.

use std::time::Duration;

use super::{
    Bandwidth, Delay, Direction, Distribution, Dns, DnsFailure, Loss, LossModel, NetworkFault, Per,
    Reorder, ReorderPolicy, Reset,
};
use crate::link::{DnsAct, Impairment, Jitter, JitterLaw, LinkFault, LossLaw, ResetLaw};

/// Longest delay that may be asked for, jitter included (for `pareto`: its scale).
const DELAY_MAX_MS: f64 = 60_000.0;
/// Least bandwidth: below it, one packet takes more than a second.
const BITS_PER_SECOND_MIN: u64 = 8_000;
/// A queue holds at least one packet, and no more than the carrier has memory for.
const QUEUE_BYTES: std::ops::RangeInclusive<u32> = 1_500..=16 * 1024 * 1024;
/// Longest period of an exact loss.
const NTH_MAX: u32 = 1_000_000;

/// Most data of a connection before its reset: less than numbers of TCP tell apart.
const RESET_BYTES_MAX: u32 = 1 << 30;

/// Why a fault is refused. The text says what to write instead.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkFaultError {
    /// Nothing says which way.
    #[error(
        "which way is not said, and it changes the meaning; add `direction: upstream` (client to server), `downstream` or `both`"
    )]
    NoDirection,
    /// Both ways, but of what is the share?
    #[error(
        "with `direction: both` it is not said what the number counts; add `per: direction` or `per: round_trip` (12 % per direction is 22.6 % of round trips)"
    )]
    NoPer,
    /// The share is no share.
    #[error("{name} is {percent}; a share is over 0 and up to 100")]
    Percent {
        /// Key.
        name: &'static str,
        /// What it says.
        percent: f64,
    },
    /// A chain of states or an exact loss has no share of round trips in closed form.
    #[error(
        "only `bernoulli` converts to round trips; declare this model with `per: direction`, for each direction"
    )]
    RoundTripModel,
    /// No such delay.
    #[error("{name} is {milliseconds}; it is a number of milliseconds from 0 to 60,000")]
    Milliseconds {
        /// Key.
        name: &'static str,
        /// What it says.
        milliseconds: f64,
    },
    /// A delay that delays nothing.
    #[error("a delay of 0 ms is none; give more, or leave the fault out")]
    NoDelay,
    /// Nothing says how the jitter spreads.
    #[error(
        "the jitter's distribution is not said; add `distribution: uniform`, `normal` or `pareto`"
    )]
    NoDistribution,
    /// Nothing says whether packets may overtake.
    #[error(
        "independent delays would change the order of packets; add `reorder: preserve` (one queue) or `reorder: allow`"
    )]
    NoReorderPolicy,
    /// Delays below 0 would be cut off, and the distribution would not be the one that was asked for.
    #[error(
        "a jitter of {jitter_ms} ms around a base of {base_ms} ms asks for delays below 0; `base_ms` must be at least {needed_ms}"
    )]
    JitterOverBase {
        /// The jitter.
        jitter_ms: f64,
        /// The base.
        base_ms: f64,
        /// Least base that does.
        needed_ms: f64,
    },
    /// The period of an exact loss is out of range.
    #[error("`every` is {every}; it is a number of packets from 1 to 1,000,000")]
    Nth {
        /// What it says.
        every: u32,
    },
    /// Too slow to be a link.
    #[error(
        "`bits_per_second` is {bits_per_second}; it is at least 8,000 (for no packet at all use `partition`)"
    )]
    Bandwidth {
        /// What it says.
        bits_per_second: u64,
    },
    /// Neither or both.
    #[error(
        "a reset has either `percent` (of the packets with data) or `after_bytes` (of each connection)"
    )]
    ResetLaw,
    /// More data than can be counted.
    #[error("`after_bytes` is {bytes}; it is at most 1,073,741,824")]
    ResetBytes {
        /// What it says.
        bytes: u32,
    },
    /// The queue is out of range.
    #[error("`queue_bytes` is {queue_bytes}; it is from 1,500 (one packet) to 16,777,216")]
    Queue {
        /// What it says.
        queue_bytes: u32,
    },
}

impl NetworkFault {
    /// What each direction does. Its notes say what was converted and what surprises.
    ///
    /// # Errors
    /// What is ambiguous or impossible, with a remedy.
    pub fn check(&self) -> Result<LinkFault, NetworkFaultError> {
        match self {
            Self::Partition(it) => LinkFault::towards(it.direction, Impairment::Partition),
            Self::Loss(it) => it.check(),
            Self::Delay(it) => it.check(),
            Self::Reorder(it) => it.check(),
            Self::Duplicate(it) => {
                let share = share("percent", it.percent)?;
                LinkFault::towards(it.direction, Impairment::Duplicate { share })
            }
            Self::Corrupt(it) => {
                let share = share("percent", it.percent)?;
                LinkFault::towards(it.direction, Impairment::Corrupt { share })
            }
            Self::Bandwidth(it) => it.check(),
            Self::Reset(it) => it.check(),
            Self::Dns(it) => it.check(),
        }
    }
}

impl Loss {
    fn check(&self) -> Result<LinkFault, NetworkFaultError> {
        let mut law = self.model.law()?;
        let mut notes = Vec::new();
        if self.direction == Some(Direction::Both) {
            let per = self.per.ok_or(NetworkFaultError::NoPer)?;
            if per == Per::RoundTrip {
                let LossLaw::Bernoulli { share } = &mut law else {
                    return Err(NetworkFaultError::RoundTripModel);
                };
                // A round trip is whole if both of its packets are: 1 − P = (1 − p)².
                *share = 1.0 - (1.0 - *share).sqrt();
            }
            let one = law.mean();
            notes.push(format!(
                "a loss of {:.2} % in each direction is one of {:.2} % of round trips",
                100.0 * one,
                100.0 * (1.0 - (1.0 - one) * (1.0 - one))
            ));
        }
        Ok(LinkFault::towards(self.direction, Impairment::Loss(law))?.with_notes(notes))
    }
}

impl LossModel {
    fn law(&self) -> Result<LossLaw, NetworkFaultError> {
        match *self {
            Self::Bernoulli { percent } => {
                Ok(LossLaw::Bernoulli { share: share("percent", percent)? })
            }
            Self::GilbertElliott {
                to_bad_percent,
                to_good_percent,
                loss_in_bad_percent,
                loss_in_good_percent,
            } => Ok(LossLaw::GilbertElliott {
                to_bad: share("to_bad_percent", to_bad_percent)?,
                to_good: share("to_good_percent", to_good_percent)?,
                loss_in_bad: share("loss_in_bad_percent", loss_in_bad_percent)?,
                loss_in_good: if loss_in_good_percent == 0.0 {
                    0.0
                } else {
                    share("loss_in_good_percent", loss_in_good_percent)?
                },
            }),
            Self::Nth { every } if every == 0 || every > NTH_MAX => {
                Err(NetworkFaultError::Nth { every })
            }
            Self::Nth { every } => Ok(LossLaw::Nth { every }),
        }
    }
}

impl Delay {
    fn check(&self) -> Result<LinkFault, NetworkFaultError> {
        let base = milliseconds("base_ms", self.base_ms)?;
        let spread = milliseconds("jitter_ms", self.jitter_ms)?;
        let hold = milliseconds("hold_ms", self.hold_ms)?;
        if base + spread > DELAY_MAX_MS {
            return Err(NetworkFaultError::Milliseconds {
                name: "`base_ms` with `jitter_ms`",
                milliseconds: base + spread,
            });
        }
        if base + spread == 0.0 {
            return Err(NetworkFaultError::NoDelay);
        }
        let mut notes = Vec::new();
        let share_of_it = self.share_of_a_direction(&mut notes)?;
        let jitter = self.jitter(share_of_it, hold)?;
        let reorder = match self.reorder {
            None if jitter.is_some() => return Err(NetworkFaultError::NoReorderPolicy),
            policy => policy.unwrap_or(ReorderPolicy::Preserve),
        };
        if jitter.is_some() && reorder == ReorderPolicy::Preserve && hold == 0.0 {
            notes.push(
                "order is preserved and the jitter drawn for each packet: packets that follow each other closely share the longest delay among them; `hold_ms` lets a delay last"
                    .to_owned(),
            );
        }
        let base = Duration::from_secs_f64(base * share_of_it / 1e3);
        let impairment = Impairment::Delay { base, jitter, reorder };
        Ok(LinkFault::towards(self.direction, impairment)?.with_notes(notes))
    }

    /// How much of what is declared each direction has.
    fn share_of_a_direction(&self, notes: &mut Vec<String>) -> Result<f64, NetworkFaultError> {
        if self.direction != Some(Direction::Both) {
            return Ok(1.0);
        }
        let (share, trip) = match self.per.ok_or(NetworkFaultError::NoPer)? {
            Per::Direction => (1.0, 2.0),
            Per::RoundTrip => (0.5, 1.0),
        };
        let (base, jitter) = (self.base_ms, self.jitter_ms);
        notes.push(format!(
            "a delay of {} ± {} ms in each direction is one of {} ± {} ms for a round trip",
            base * share,
            jitter * share,
            base * trip,
            jitter * trip
        ));
        if jitter > 0.0 && self.distribution == Some(Distribution::Uniform) {
            notes.push("the sum of two uniform delays is triangular, not uniform".to_owned());
        }
        Ok(share)
    }

    fn jitter(&self, share_of_it: f64, hold_ms: f64) -> Result<Option<Jitter>, NetworkFaultError> {
        if self.jitter_ms == 0.0 {
            return Ok(None);
        }
        let distribution = self.distribution.ok_or(NetworkFaultError::NoDistribution)?;
        let (law, needed_ms) = match distribution {
            Distribution::Uniform => (JitterLaw::Uniform, self.jitter_ms),
            Distribution::Normal => (JitterLaw::Normal, self.jitter_ms * JitterLaw::SIGMA_MAX),
            Distribution::Pareto => (JitterLaw::Pareto, 0.0),
        };
        if needed_ms > self.base_ms {
            return Err(NetworkFaultError::JitterOverBase {
                jitter_ms: self.jitter_ms,
                base_ms: self.base_ms,
                needed_ms,
            });
        }
        let spread = Duration::from_secs_f64(self.jitter_ms * share_of_it / 1e3);
        Ok(Some(Jitter { law, spread, hold: Duration::from_secs_f64(hold_ms / 1e3) }))
    }
}

impl Reorder {
    fn check(&self) -> Result<LinkFault, NetworkFaultError> {
        let share = share("percent", self.percent)?;
        let hold_back = milliseconds("hold_back_ms", self.hold_back_ms)?;
        if hold_back == 0.0 {
            return Err(NetworkFaultError::NoDelay);
        }
        let hold_back = Duration::from_secs_f64(hold_back / 1e3);
        LinkFault::towards(self.direction, Impairment::Reorder { share, hold_back })
    }
}

impl Bandwidth {
    fn check(&self) -> Result<LinkFault, NetworkFaultError> {
        if self.bits_per_second < BITS_PER_SECOND_MIN {
            let bits_per_second = self.bits_per_second;
            return Err(NetworkFaultError::Bandwidth { bits_per_second });
        }
        if !QUEUE_BYTES.contains(&self.queue_bytes) {
            return Err(NetworkFaultError::Queue { queue_bytes: self.queue_bytes });
        }
        LinkFault::towards(
            self.direction,
            Impairment::Bandwidth {
                bytes_per_second: self.bits_per_second as f64 / 8.0,
                burst_bytes: self.burst_bytes,
                queue_bytes: self.queue_bytes,
            },
        )
    }
}

impl Reset {
    fn check(&self) -> Result<LinkFault, NetworkFaultError> {
        let law = match (self.percent, self.after_bytes) {
            (Some(percent), None) => ResetLaw::Share(share("percent", percent)?),
            (None, Some(bytes)) if bytes <= RESET_BYTES_MAX => ResetLaw::AfterBytes(bytes),
            (None, Some(bytes)) => return Err(NetworkFaultError::ResetBytes { bytes }),
            _ => return Err(NetworkFaultError::ResetLaw),
        };
        LinkFault::towards(self.direction, Impairment::Reset { law })
    }
}

impl Dns {
    fn check(&self) -> Result<LinkFault, NetworkFaultError> {
        let share = share("percent", self.percent)?;
        let act = match self.failure {
            DnsFailure::Nxdomain => DnsAct::Answer { code: 3 },
            DnsFailure::Servfail => DnsAct::Answer { code: 2 },
            DnsFailure::Refused => DnsAct::Answer { code: 5 },
            DnsFailure::Timeout => DnsAct::Drop,
            DnsFailure::Slow { by_ms } => {
                let by = milliseconds("by_ms", by_ms)?;
                if by == 0.0 {
                    return Err(NetworkFaultError::NoDelay);
                }
                DnsAct::HoldBack { by: Duration::from_secs_f64(by / 1e3) }
            }
        };
        LinkFault::towards(self.direction, Impairment::Dns { share, act })
    }
}

fn share(name: &'static str, percent: f64) -> Result<f64, NetworkFaultError> {
    if percent > 0.0 && percent <= 100.0 {
        Ok(percent / 100.0)
    } else {
        Err(NetworkFaultError::Percent { name, percent })
    }
}

fn milliseconds(name: &'static str, milliseconds: f64) -> Result<f64, NetworkFaultError> {
    if (0.0..=DELAY_MAX_MS).contains(&milliseconds) {
        Ok(milliseconds)
    } else {
        Err(NetworkFaultError::Milliseconds { name, milliseconds })
    }
}
