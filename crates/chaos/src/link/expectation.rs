//! What probes through a lane should meet, and whether they did.
//!
//! Bounds are wide enough that a true lane fails one of them once in 100,000 verifications (4.5
//! standard deviations, with Bernstein's term for rare events), and probes are many enough that a lane
//! without the fault passes once in a million.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Impairment, JitterLaw};
use crate::fault::ReorderPolicy;

/// Standard deviations of a bound.
const SIGMAS: f64 = 4.5;
/// −ln of the chance that a fault that is in force shows in no probe.
const NATS: f64 = 14.0;
/// Fewest and most probes of a verification. More would take longer than an injection may.
const PROBES: std::ops::RangeInclusive<u64> = 32..=16_384;
/// How much later than asked the quickest probe may arrive.
const SLACK: Duration = Duration::from_millis(5);
/// Fastest bottleneck that probes can fill, in bytes per second.
const RATE_MAX: f64 = 25e6;
/// For how long probes fill a bottleneck.
const RATE_SPAN: f64 = 0.04;

/// What the impairments of a lane do to a probe, together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectation {
    /// Share that does not arrive. A turned bit counts: the checksums of IPv4 and UDP cover every bit.
    loss: f64,
    /// How much wider than independent losses they vary.
    dispersion: f64,
    /// Mean delay, its standard deviation for one probe, and the longest.
    delay: Duration,
    deviation: Duration,
    longest: Duration,
    /// Least mean delay whatever was drawn.
    least: Duration,
    /// Delays are drawn for more than one probe at a time.
    drawn_rarely: bool,
    may_overtake: bool,
    duplicate: f64,
    reorder: f64,
    /// Bytes per second and burst of the narrowest bottleneck.
    rate: Option<(f64, f64)>,
}

/// What became of the probes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Probes that were sent.
    pub sent: u64,
    /// Probes that arrived at least once.
    pub received: u64,
    /// Further copies that arrived.
    pub copies: u64,
    /// Probes that arrived after one that was sent later.
    pub reordered: u64,
    /// Mean time on the way.
    pub delay_mean: Duration,
    /// Shortest time on the way: on a busy machine most probes may be late, hardly all.
    pub delay_min: Duration,
    /// Longest time on the way.
    pub delay_max: Duration,
    /// Bytes of IP packets that arrived.
    pub bytes: u64,
    /// From the sending of the first probe to the last arrival.
    pub span: Duration,
}

/// What the probes say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Whether they met what was to be expected.
    pub holds: bool,
    /// Whether they did but for their delay, which was longer: by a delay that nobody asked for, or
    /// because the machine was too busy to tell.
    pub only_late: bool,
    /// What was expected and what was met.
    pub seen: String,
}

impl Expectation {
    /// Of a lane with these impairments.
    pub fn of<'a>(impairments: impl IntoIterator<Item = &'a Impairment>) -> Self {
        let mut all = Self { dispersion: 1.0, ..Self::default() };
        for impairment in impairments {
            all.add(impairment);
        }
        all
    }

    fn add(&mut self, impairment: &Impairment) {
        match *impairment {
            Impairment::Partition => self.lose(1.0),
            Impairment::Loss(law) => {
                self.lose(law.mean());
                self.dispersion = self.dispersion.max(law.dispersion());
            }
            Impairment::Corrupt { share } => self.lose(share),
            Impairment::Duplicate { share } => self.duplicate += share,
            // Probes are neither TCP nor queries.
            Impairment::Reset { .. } | Impairment::Dns { .. } => {}
            Impairment::Reorder { share, hold_back } => {
                self.reorder += share;
                self.longest += hold_back;
            }
            Impairment::Bandwidth { bytes_per_second, burst_bytes, .. } => {
                if self.rate.is_none_or(|(rate, _)| bytes_per_second < rate) {
                    self.rate = Some((bytes_per_second, f64::from(burst_bytes)));
                }
            }
            Impairment::Delay { base, jitter, reorder } => {
                let (mut mean, mut longest, mut least) = (base, base, base);
                if let Some(jitter) = jitter {
                    let spread = jitter.spread;
                    mean += spread.mul_f64(jitter.law.mean());
                    longest += spread.mul_f64(jitter.law.largest());
                    if jitter.law != JitterLaw::Pareto {
                        least = base.saturating_sub(spread.mul_f64(jitter.law.largest()));
                    }
                    self.deviation += spread.mul_f64(jitter.law.deviation());
                    self.drawn_rarely |= !jitter.hold.is_zero();
                    self.may_overtake |= reorder == ReorderPolicy::Allow;
                }
                self.delay += mean;
                self.longest += longest;
                self.least += least;
            }
        }
    }

    fn lose(&mut self, share: f64) {
        self.loss = 1.0 - (1.0 - self.loss) * (1.0 - share);
    }

    /// Whether the lane does nothing to a probe.
    pub fn is_clean(&self) -> bool {
        *self == Self { dispersion: 1.0, ..Self::default() }
    }

    /// Whether nothing arrives.
    pub const fn is_cut(&self) -> bool {
        self.loss >= 1.0
    }

    /// How many probes tell this lane from a clean one.
    pub fn probes(&self) -> u64 {
        let rarest = [self.loss, self.duplicate, self.reorder]
            .into_iter()
            .filter(|&share| share > 0.0)
            .fold(1.0, f64::min);
        let mut wanted = (NATS / rarest * self.dispersion).min(1e9) as u64;
        if let Some((rate, burst)) = self.rate {
            // Probes of a bottleneck are large, and few are enough: it delays each of them.
            wanted = ((rate.min(RATE_MAX) * RATE_SPAN + burst) / self.probe_bytes() as f64) as u64;
            return wanted.clamp(8, 1_024);
        }
        wanted.clamp(*PROBES.start(), *PROBES.end())
    }

    /// Size of a probe as an IP packet, in bytes.
    pub const fn probe_bytes(&self) -> usize {
        if self.rate.is_some() { 1_200 } else { 64 }
    }

    /// How long after the last probe was sent the last may arrive on an idle machine.
    pub fn patience(&self) -> Duration {
        let queue = self
            .rate
            .map_or(0.0, |(rate, _)| (self.probes() as usize * self.probe_bytes()) as f64 / rate);
        self.longest + Duration::from_secs_f64(queue.min(60.0))
    }

    /// Whether the tally is what this lane gives.
    pub fn judge(&self, tally: &Tally) -> Judgement {
        let mut judgement = Judgement { holds: true, only_late: false, seen: String::new() };
        self.judge_loss(tally, &mut judgement);
        if tally.received > 0 {
            self.judge_copies(tally, &mut judgement);
            self.judge_order(tally, &mut judgement);
            self.judge_rate(tally, &mut judgement);
            self.judge_delay(tally, &mut judgement);
        }
        judgement
    }

    /// Whether a filter that lost `struck` of the `seen` packets does what this lane asks for.
    pub fn judge_struck(&self, seen: u64, struck: u64) -> Judgement {
        let mut judgement = Judgement { holds: true, only_late: false, seen: String::new() };
        let off = (struck as f64 - seen as f64 * self.loss).abs();
        let bound = bound(seen, self.loss, self.dispersion);
        // Exact losses of a period begin anywhere in it.
        let holds = off <= bound.max(1.0) && !self.hides(struck, seen, self.loss);
        let text = format!(
            "{struck} of {seen} packets lost ({:.2} %, asked {:.2} ± {:.2} %)",
            percent(struck as f64, seen),
            100.0 * self.loss,
            percent(bound, seen),
        );
        judgement.note(holds, &text);
        judgement
    }

    fn judge_loss(&self, tally: &Tally, judgement: &mut Judgement) {
        let lost = tally.sent.saturating_sub(tally.received);
        let bound = bound(tally.sent, self.loss, self.dispersion);
        let expected = tally.sent as f64 * self.loss;
        // A full queue of a bottleneck drops too.
        let too_many = lost as f64 > expected + bound && self.rate.is_none();
        let too_few = (lost as f64) < expected - bound || self.hides(lost, tally.sent, self.loss);
        let text = format!(
            "{lost} of {} probes lost ({:.2} %, asked {:.2} ± {:.2} %)",
            tally.sent,
            percent(lost as f64, tally.sent),
            100.0 * self.loss,
            percent(bound, tally.sent),
        );
        judgement.note(!too_many && !too_few, &text);
    }

    /// None was struck although some must have been.
    fn hides(&self, struck: u64, sent: u64, share: f64) -> bool {
        struck == 0 && sent as f64 * share / self.dispersion >= 0.9 * NATS
    }

    fn judge_delay(&self, tally: &Tally, judgement: &mut Judgement) {
        let margin = self.deviation.mul_f64(SIGMAS / (tally.received as f64).sqrt());
        let least = if self.drawn_rarely {
            self.least
        } else {
            self.least.max(self.delay.saturating_sub(margin))
        };
        // Clocks are compared within one machine, yet a release may be early by their grain.
        let early = tally.delay_mean + Duration::from_micros(20) < least;
        let late = tally.delay_min > self.longest + SLACK && self.rate.is_none();
        let text = format!(
            "delay {:.2} to {:.2} ms, mean {:.2} ms (asked a mean of at least {:.2} ms and none over {:.2} ms)",
            milliseconds(tally.delay_min),
            milliseconds(tally.delay_max),
            milliseconds(tally.delay_mean),
            milliseconds(least),
            milliseconds(self.longest),
        );
        judgement.only_late = judgement.holds && late && !early;
        judgement.note(!early && !late, &text);
    }

    fn judge_copies(&self, tally: &Tally, judgement: &mut Judgement) {
        let share = self.duplicate;
        if share == 0.0 {
            return judgement.note(tally.copies == 0, &format!("{} copies", tally.copies));
        }
        let possible = tally.sent as f64 * (1.0 - self.loss);
        let off = (tally.copies as f64 - possible * share).abs();
        let holds = off <= bound(tally.sent, share, 1.0)
            && !self.hides(tally.copies, possible as u64, share);
        let text = format!("{} copies (asked {:.2} %)", tally.copies, 100.0 * share);
        judgement.note(holds, &text);
    }

    fn judge_order(&self, tally: &Tally, judgement: &mut Judgement) {
        if self.may_overtake {
            return;
        }
        let possible = tally.sent as f64 * (1.0 - self.loss);
        let holds = tally.reordered as f64
            <= possible * self.reorder + bound(tally.sent, self.reorder, 1.0)
            && !self.hides(tally.reordered, possible as u64, self.reorder);
        let text = format!("{} overtaken (asked {:.2} %)", tally.reordered, 100.0 * self.reorder);
        judgement.note(holds, &text);
    }

    fn judge_rate(&self, tally: &Tally, judgement: &mut Judgement) {
        let Some((rate, burst)) = self.rate else { return };
        if rate > RATE_MAX {
            let text = "a bottleneck over 200 Mbit/s is not filled by probes".to_owned();
            return judgement.note(true, &text);
        }
        let bytes = (tally.bytes as f64 - burst).max(0.0);
        let measured = bytes / tally.span.as_secs_f64().max(1e-6);
        let text = format!("{:.3} Mbit/s (asked at most {:.3})", measured * 8e-6, rate * 8e-6);
        judgement.note(measured <= 1.1 * rate, &text);
    }
}

impl Judgement {
    fn note(&mut self, holds: bool, text: &str) {
        self.holds &= holds;
        if !self.seen.is_empty() {
            self.seen.push_str(", ");
        }
        self.seen.push_str(text);
        if !holds {
            // Writing to a string cannot fail.
            let _ = write!(self.seen, " ✗");
        }
    }
}

/// How far a count among `sent` may lie from what its share says.
fn bound(sent: u64, share: f64, dispersion: f64) -> f64 {
    if share <= 0.0 || share >= 1.0 {
        return 0.0;
    }
    let variance = sent as f64 * share * (1.0 - share) * dispersion;
    SIGMAS * variance.sqrt() + SIGMAS * SIGMAS / 3.0 * dispersion
}

fn percent(count: f64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { 100.0 * count / of as f64 }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests;
