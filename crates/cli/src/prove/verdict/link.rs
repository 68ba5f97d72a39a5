//! Whether the link did what it was asked to, and nothing else.

use super::super::link::{LinkSeen, PACKETS_MIN};
use super::{Aspect, Check};

/// Share of the packets that may be dropped because the box was too slow, or its memory full.
const DROPPED_SHARE_MAX: f64 = 0.001;
/// Packets may leave this late, at the 99th percentile.
const LATE_P99_MS_MAX: f64 = 10.0;
/// Half of the requests take at least this share of what the link alone costs half of them.
const FELT_SHARE_MIN: f64 = 0.8;

/// Checks of a link, with the median latency that the clients saw.
pub(super) fn checks(seen: &LinkSeen, p50_ms: f64) -> Vec<Check> {
    let packets = seen.upstream.packets.min(seen.downstream.packets);
    let felt = seen.floor.p50_ms * FELT_SHARE_MIN;
    let mut checks = vec![
        Check {
            aspect: Aspect::Infrastructure,
            name: "link_packets",
            pass: seen.has_data(),
            value: packets as f64,
            limit: format!("≥ {PACKETS_MIN}"),
            meaning: "packets in the quieter direction of the link: enough to tell its loss",
        },
        Check {
            aspect: Aspect::Injection,
            name: "link_loss_percent",
            pass: seen.loss_is_right(),
            value: seen.upstream.loss_percent,
            limit: format!("≈ {} each way", seen.loss_percent),
            meaning: "packets that the link lost (here towards the server), within what chance allows",
        },
        Check {
            aspect: Aspect::Injection,
            name: "link_delay_ms",
            pass: seen.delay_is_right(),
            value: seen.upstream.delay_mean_ms,
            limit: format!("{} to {}", seen.delay_ms, seen.delay_ms + seen.jitter_ms),
            meaning: "mean delay towards the server; keeping their order makes packets later than drawn",
        },
        Check {
            aspect: Aspect::Injection,
            name: "link_felt_by_requests",
            pass: p50_ms >= felt,
            value: p50_ms,
            limit: format!("≥ {felt:.1} ms"),
            meaning: "median latency of the requests: they did cross the link",
        },
        so_or_not(
            "link_probes",
            seen.probes_held,
            Aspect::Injection,
            "before the storm, probes of the lab's own met the loss and the delay",
        ),
        so_or_not(
            "link_kept",
            Some(seen.lapsed.is_none()),
            Aspect::Injection,
            "the faults of the link were renewed before their time was over, until they were taken back",
        ),
        so_or_not(
            "link_healed",
            seen.reverted,
            Aspect::Revert,
            "after the storm, probes met neither loss nor delay",
        ),
    ];
    checks.extend(box_checks(seen));
    checks
}

/// Whether the packet box kept up.
fn box_checks(seen: &LinkSeen) -> [Check; 2] {
    let packets = (seen.upstream.packets + seen.downstream.packets).max(1);
    let dropped = seen.dropped_unasked as f64 / packets as f64;
    [
        Check {
            aspect: Aspect::Infrastructure,
            name: "link_dropped_unasked",
            pass: dropped <= DROPPED_SHARE_MAX,
            value: seen.dropped_unasked as f64,
            limit: format!("≤ {} % of packets", DROPPED_SHARE_MAX * 100.0),
            meaning: "packets that the packet box dropped because it was too slow or full",
        },
        Check {
            aspect: Aspect::Infrastructure,
            name: "link_late_p99_ms",
            pass: seen.late_p99_ms <= LATE_P99_MS_MAX,
            value: seen.late_p99_ms,
            limit: format!("≤ {LATE_P99_MS_MAX}"),
            meaning: "how late the packet box itself was with packets that had to wait",
        },
    ]
}

/// What is so or not. Probes that came to no end say nothing about the link, and something about the run.
fn so_or_not(
    name: &'static str,
    holds: Option<bool>,
    aspect: Aspect,
    meaning: &'static str,
) -> Check {
    let pass = holds == Some(true);
    let aspect = if holds.is_none() { Aspect::Infrastructure } else { aspect };
    let value = f64::from(u8::from(pass));
    Check { aspect, name, pass, value, limit: "= 1".to_owned(), meaning }
}
