//! What netem is told to do, of what is asked of it; or why it cannot.

use std::fmt;
use std::time::Duration;

use bulkhead_chaos::{HELD_PACKETS_MAX, Impairment, Jitter, JitterLaw, LossLaw, ReorderPolicy};
use serde::{Deserialize, Serialize};

use super::distribution;

/// The kernel computes with a jitter of 32 bits, in nanoseconds.
const JITTER_NS_MAX: u64 = i32::MAX as u64;
/// Packets by which a queue of bytes is counted: full ones.
const FULL_PACKET_BYTES: u32 = 1_500;

/// Parameters as the kernel has them. Shares are of 2³² − 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parameters {
    /// Delay of a packet, in nanoseconds.
    pub(super) delay_ns: u64,
    /// What one unit of the table is, in nanoseconds.
    pub(super) jitter_ns: u64,
    /// Share of independent losses.
    pub(super) loss: u32,
    /// Bursts of losses: to bad, to good, passes in bad, lost in good.
    pub(super) bursts: Option<[u32; 4]>,
    /// Share that is *not* delayed, and so overtakes. 0: no packet is.
    pub(super) overtaking: u32,
    /// Share that comes twice.
    pub(super) duplicate: u32,
    /// Share that has one bit turned.
    pub(super) corrupt: u32,
    /// 0: as fast as the interface.
    pub(super) bytes_per_second: u64,
    /// What is added to the length of a packet before the rate is applied, in bytes.
    pub(super) packet_overhead: i32,
    /// Most packets that wait.
    pub(super) limit: u32,
}

/// What the kernel is told: parameters, and what it does not tell back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Setting {
    pub(super) parameters: Parameters,
    /// Of which law the table is.
    pub(super) law: Option<JitterLaw>,
    /// Everything random is drawn from it, on Linux 6.6 or newer.
    pub(super) seed: u64,
}

impl Setting {
    /// `header_bytes`: what the interface puts before an IP packet, which rates do not count.
    ///
    /// # Errors
    /// Why netem cannot do it.
    pub(super) fn of(
        impairment: &Impairment,
        header_bytes: i32,
        seed: u64,
    ) -> Result<Self, String> {
        let mut parameters = Parameters { limit: HELD_PACKETS_MAX as u32, ..Parameters::default() };
        let mut law = None;
        match *impairment {
            Impairment::Partition => parameters.loss = u32::MAX,
            Impairment::Loss(loss) => parameters.lose(loss)?,
            Impairment::Delay { base, jitter, reorder } => {
                parameters.delay_ns = nanoseconds(base);
                if let Some(jitter) = jitter {
                    parameters.jitter_ns = jitter_ns(jitter, reorder)?;
                    law = Some(jitter.law);
                }
            }
            Impairment::Reorder { share, hold_back } => {
                parameters.delay_ns = nanoseconds(hold_back);
                parameters.overtaking = u32::MAX - of_all(share);
            }
            Impairment::Duplicate { share } => parameters.duplicate = of_all(share),
            Impairment::Corrupt { share } => parameters.corrupt = of_all(share),
            Impairment::Bandwidth { burst_bytes: 1.., .. } => {
                return Err("its rate lets no burst pass: leave `burst_bytes` out".to_owned());
            }
            Impairment::Bandwidth { bytes_per_second, queue_bytes, .. } => {
                parameters.bytes_per_second = bytes_per_second as u64;
                parameters.packet_overhead = -header_bytes;
                parameters.limit = queue_bytes.div_ceil(FULL_PACKET_BYTES);
            }
            Impairment::Reset { .. } => {
                return Err("it looks into no packet, and resets no connection".to_owned());
            }
            Impairment::Dns { .. } => {
                return Err("it looks into no packet, and knows no queries of DNS".to_owned());
            }
            _ => return Err("it does not know such a fault".to_owned()),
        }
        Ok(Self { parameters, law, seed })
    }
}

impl Parameters {
    fn lose(&mut self, law: LossLaw) -> Result<(), String> {
        match law {
            LossLaw::Bernoulli { share } => self.loss = of_all(share),
            LossLaw::GilbertElliott { to_bad, to_good, loss_in_bad, loss_in_good } => {
                self.bursts = Some([to_bad, to_good, 1.0 - loss_in_bad, loss_in_good].map(of_all));
            }
            _ => return Err("it counts no packets: all its losses are chance".to_owned()),
        }
        Ok(())
    }
}

fn jitter_ns(jitter: Jitter, reorder: ReorderPolicy) -> Result<u64, String> {
    if reorder == ReorderPolicy::Preserve {
        return Err(
            "each packet leaves it when its own delay is over, so that a jitter changes their order: say `reorder: allow`"
                .to_owned(),
        );
    }
    if !jitter.hold.is_zero() {
        return Err("it draws a delay for each packet: leave `hold_ms` out".to_owned());
    }
    let spreads = u64::from(distribution::spreads(jitter.law));
    let nanoseconds = nanoseconds(jitter.spread);
    if nanoseconds > JITTER_NS_MAX / spreads {
        let most = JITTER_NS_MAX / spreads / 1_000_000;
        return Err(format!("it counts with a jitter of at most {most} ms of this distribution"));
    }
    Ok(nanoseconds * spreads)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn of_all(share: f64) -> u32 {
    (share * f64::from(u32::MAX)).round() as u32
}

fn percent(share: u32) -> f64 {
    100.0 * f64::from(share) / f64::from(u32::MAX)
}

impl fmt::Display for Parameters {
    /// In the words of `tc`, more or less.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |nanoseconds: u64| nanoseconds as f64 / 1e6;
        write!(formatter, "limit {}", self.limit)?;
        if self.delay_ns > 0 || self.jitter_ns > 0 {
            write!(formatter, ", delay {:.3} ms", milliseconds(self.delay_ns))?;
        }
        if self.jitter_ns > 0 {
            write!(formatter, ", jitter {:.3} ms", milliseconds(self.jitter_ns))?;
        }
        if let Some(bursts) = self.bursts {
            let [to_bad, to_good, pass, lost] = bursts.map(percent);
            write!(
                formatter,
                ", gemodel p {to_bad:.4} % r {to_good:.4} % 1-h {:.4} % 1-k {lost:.4} %",
                100.0 - pass
            )?;
        }
        let shares = [
            ("loss", self.loss),
            ("overtaking", self.overtaking),
            ("duplicate", self.duplicate),
            ("corrupt", self.corrupt),
        ];
        for (word, share) in shares.into_iter().filter(|(_, share)| *share > 0) {
            write!(formatter, ", {word} {:.4} %", percent(share))?;
        }
        if self.bytes_per_second > 0 {
            let bits = 8.0 * self.bytes_per_second as f64;
            write!(formatter, ", rate {:.3} kbit/s", bits / 1e3)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
