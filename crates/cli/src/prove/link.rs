//! What the link of a storm was seen to do, beside what it was asked to.

use std::time::Duration;

use serde::Serialize;

use bulkhead_chaos::{Interval, Proportion};
use bulkhead_lab::LaneReport;

use super::floor::Floor;
use super::ground::Counted;
use super::imposed::{LinkFault, LinkLife};
use super::weather::{Weather, milliseconds};

/// Fewer packets in a direction say too little about its loss.
pub(crate) const PACKETS_MIN: u64 = 1_000;
/// Standard deviations by which a true share may be off: once in 100,000 runs it is more.
const SIGMAS: f64 = 4.5;
/// Those of the interval that is told: 99 %.
const SIGMAS_TOLD: f64 = 2.576;
/// A kept delay may be so much less than asked for in the mean: draws vary.
const DELAY_SLACK: f64 = 0.1;

/// The link, asked and measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct LinkSeen {
    /// `client` or `upstream`.
    pub(crate) place: &'static str,
    pub(crate) carrier: &'static str,
    pub(crate) congestion_control: String,
    /// Whether the box ran before ordinary threads.
    pub(crate) real_time: bool,
    /// What was declared, in words: unit, direction, base.
    pub(crate) declared: String,
    pub(crate) loss_percent: f64,
    pub(crate) round_trip_loss_percent: f64,
    pub(crate) delay_ms: f64,
    pub(crate) jitter_ms: f64,
    /// Towards the server.
    pub(crate) upstream: LaneSeen,
    pub(crate) downstream: LaneSeen,
    /// Packets that were dropped because the box was too slow, or its memory full.
    pub(crate) dropped_unasked: u64,
    /// How late packets left that had to wait, at the 99th percentile.
    pub(crate) late_p99_ms: f64,
    /// CPU time of the box over the packets.
    pub(crate) cpu_us_per_packet: f64,
    /// What was ordered.
    pub(crate) faults: Vec<LinkFault>,
    /// The box ends each so long after it was imposed or renewed last.
    pub(crate) time_to_live_s: f64,
    /// How often all were renewed.
    pub(crate) renewals: u64,
    /// Why they may not have been in force until they were taken back.
    pub(crate) lapsed: Option<String>,
    /// When the faults were imposed, since 1970.
    pub(crate) imposed_unix_ms: u64,
    /// When probes had met them.
    pub(crate) in_force_unix_ms: u64,
    /// When they were taken back.
    pub(crate) taken_back_unix_ms: u64,
    /// When probes had looked whether they are gone.
    pub(crate) gone_unix_ms: u64,
    /// Whether probes met the faults before the storm; `None`: they came to no end.
    pub(crate) probes_held: Option<bool>,
    pub(crate) probes: String,
    /// Whether probes met no fault after it was taken back.
    pub(crate) reverted: Option<bool>,
    pub(crate) reverted_probes: String,
    pub(crate) floor: Floor,
}

/// One direction during the measured part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct LaneSeen {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) lost: u64,
    pub(crate) loss_percent: f64,
    /// 99 % interval of the true share.
    pub(crate) loss_percent_low: f64,
    pub(crate) loss_percent_high: f64,
    /// Mean of the delays of the packets that were kept; 0 where none was.
    pub(crate) delay_mean_ms: f64,
}

impl LinkSeen {
    pub(crate) fn new(
        weather: &Weather,
        congestion_control: String,
        [before, after]: [&Counted; 2],
        life: LinkLife,
    ) -> Self {
        let LinkLife { faults, lifetime, renewals, lapsed, verified, reverted } = life;
        let lanes = |counted: &Counted| {
            [counted.report.upstream.clone(), counted.report.downstream.clone()]
        };
        let (was, is) = (lanes(before), lanes(after));
        let unasked = |lane: &LaneReport| lane.counts.overflowed + lane.refused;
        let dropped = |lanes: &[LaneReport; 2]| lanes.iter().map(unasked).sum::<u64>();
        let [upstream, downstream] = [0, 1].map(|lane| LaneSeen::between(&was[lane], &is[lane]));
        let cpu = after.report.cpu.saturating_sub(before.report.cpu);
        let packets = (upstream.packets + downstream.packets).max(1);
        Self {
            place: weather.place.name(),
            carrier: weather.kind.carrier(),
            congestion_control,
            real_time: after.report.real_time,
            declared: weather.describe(),
            loss_percent: weather.loss_percent,
            round_trip_loss_percent: weather.round_trip_loss_percent(),
            delay_ms: milliseconds(weather.delay),
            jitter_ms: milliseconds(weather.jitter),
            upstream,
            downstream,
            dropped_unasked: (after.drops - before.drops)
                + dropped(&is).saturating_sub(dropped(&was)),
            late_p99_ms: after.report.lateness.value_at_quantile(0.99) as f64 / 1e6,
            cpu_us_per_packet: cpu.as_secs_f64() * 1e6 / packets as f64,
            faults,
            time_to_live_s: lifetime.as_secs_f64(),
            renewals,
            lapsed,
            imposed_unix_ms: whole_milliseconds(verified.from),
            in_force_unix_ms: whole_milliseconds(verified.until),
            taken_back_unix_ms: whole_milliseconds(reverted.from),
            gone_unix_ms: whole_milliseconds(reverted.until),
            probes_held: verified.holds,
            probes: verified.seen,
            reverted: reverted.holds,
            reverted_probes: reverted.seen,
            floor: Floor::of(weather),
        }
    }

    /// Whether so many packets went each way that their loss says something.
    pub(crate) fn has_data(&self) -> bool {
        [self.upstream, self.downstream].iter().all(|lane| lane.packets >= PACKETS_MIN)
    }

    /// Whether each direction lost the share that was asked for, within what chance allows.
    pub(crate) fn loss_is_right(&self) -> bool {
        let share = self.loss_percent / 100.0;
        [self.upstream, self.downstream].iter().all(|lane| {
            let deviation = (share * (1.0 - share) / lane.packets.max(1) as f64).sqrt();
            (lane.loss_percent / 100.0 - share).abs() <= SIGMAS * deviation
        })
    }

    /// Whether the mean delay is one that was asked for. Keeping their order makes packets later, by no
    /// more than the jitter.
    pub(crate) fn delay_is_right(&self) -> bool {
        let least = self.delay_ms * (1.0 - DELAY_SLACK);
        let most = self.delay_ms + self.jitter_ms;
        self.delay_ms == 0.0 || (least..=most).contains(&self.upstream.delay_mean_ms)
    }
}

/// Of a moment since 1970.
pub(crate) fn whole_milliseconds(moment: Duration) -> u64 {
    u64::try_from(moment.as_millis()).unwrap_or(u64::MAX)
}

impl LaneSeen {
    fn between(before: &LaneReport, after: &LaneReport) -> Self {
        let (before, after) = (&before.counts, &after.counts);
        let packets = after.received - before.received;
        let lost = after.lost - before.lost;
        let delayed = (after.delayed - before.delayed).max(1);
        let delay = after.delay_total.saturating_sub(before.delay_total);
        let seen = Proportion { successes: lost, trials: packets };
        let Interval { low, high } = seen.interval_of(SIGMAS_TOLD);
        Self {
            packets,
            bytes: after.received_bytes - before.received_bytes,
            lost,
            loss_percent: 100.0 * lost as f64 / packets.max(1) as f64,
            loss_percent_low: 100.0 * low,
            loss_percent_high: 100.0 * high,
            delay_mean_ms: milliseconds(delay) / delayed as f64,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use bulkhead_chaos::Fault;

    use crate::prove::weather::Place;

    /// The article's link, as it should be.
    pub(crate) fn link() -> LinkSeen {
        let weather = Weather::at(Place::Client);
        let lane = LaneSeen {
            packets: 10_000,
            bytes: 5_000_000,
            lost: 1_210,
            loss_percent: 12.1,
            loss_percent_low: 11.3,
            loss_percent_high: 13.0,
            delay_mean_ms: 0.0,
        };
        LinkSeen {
            place: "client",
            carrier: "packet box (TUN)",
            congestion_control: "cubic".to_owned(),
            real_time: true,
            declared: weather.describe(),
            loss_percent: 12.0,
            round_trip_loss_percent: 22.56,
            delay_ms: 40.0,
            jitter_ms: 40.0,
            upstream: LaneSeen { delay_mean_ms: 48.0, ..lane },
            downstream: lane,
            dropped_unasked: 0,
            late_p99_ms: 0.2,
            cpu_us_per_packet: 10.0,
            faults: vec![LinkFault {
                id: "01940000-0000-7000-8000-000000000000".to_owned(),
                fault: Fault::Network(weather.faults().remove(0)),
            }],
            time_to_live_s: 180.0,
            renewals: 3,
            lapsed: None,
            imposed_unix_ms: 998_000,
            in_force_unix_ms: 999_000,
            taken_back_unix_ms: 1_005_000,
            gone_unix_ms: 1_006_000,
            probes_held: Some(true),
            probes: "16 of 116 probes lost".to_owned(),
            reverted: Some(true),
            reverted_probes: "0 of 500 probes lost".to_owned(),
            floor: Floor::of(&weather),
        }
    }

    #[test]
    fn a_link_that_does_something_else_is_noticed() {
        let right = link();
        assert!(right.has_data() && right.loss_is_right() && right.delay_is_right());
        let idle = LaneSeen { lost: 0, loss_percent: 0.0, ..right.upstream };
        assert!(!LinkSeen { upstream: idle, ..right.clone() }.loss_is_right());
        for delay_mean_ms in [0.0, 35.0, 81.0] {
            let upstream = LaneSeen { delay_mean_ms, ..right.upstream };
            assert!(!LinkSeen { upstream, ..right.clone() }.delay_is_right(), "{delay_mean_ms}");
        }
        let few = LaneSeen { packets: 999, ..right.upstream };
        assert!(!LinkSeen { upstream: few, ..right }.has_data());
    }
}
