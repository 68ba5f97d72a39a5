//! Verification of faults that plain probes do not see: resets and failures of DNS.

use std::time::{Duration, Instant};

use bulkhead_chaos::{DnsAct, Impairment, ResetLaw};

use super::note;
use crate::network::Link;
use crate::network::probe::{CHUNK_BYTES_MAX, DnsTrial, ResetTrial, dns_trial, reset_trial};
use crate::{Evidence, InjectError};

/// −ln of the chance that a fault that is in force shows in no packet of a trial.
const NATS: f64 = 14.0;
/// Packets of a trial on a link where nothing must happen to them.
const HEALED_PACKETS: u32 = 50;
/// Longest trial; rarer faults are told by the box's count alone.
const PACKETS_MAX: u32 = 2_000;

/// A trial of a lane, if what the order does can only be seen so. `asked` is what the order does there;
/// `in_force`: whether it should be seen, or nothing of it.
pub(super) fn run(
    link: &Link,
    lane: usize,
    (asked, in_force): (&Impairment, bool),
    until: Instant,
    evidence: &mut Evidence,
) -> Result<(), InjectError> {
    let share = match *asked {
        Impairment::Reset { law: ResetLaw::Share(share) } | Impairment::Dns { share, .. } => share,
        Impairment::Reset { law: ResetLaw::AfterBytes(bytes) } => {
            return at_offset(link, lane, (bytes as usize, in_force), until, evidence);
        }
        _ => return Ok(()),
    };
    let packets = if in_force { (NATS / share) as u32 + 1 } else { HEALED_PACKETS };
    if packets > PACKETS_MAX {
        note(evidence, true, lane, "too rare for a trial to meet it");
        return Ok(());
    }
    let tried = match *asked {
        Impairment::Dns { act, .. } => {
            dns(link, lane, packets, act, until).map(|(struck, text)| (struck > 0, text))
        }
        _ => reset(link, lane, packets, until),
    };
    let (struck, text) =
        tried.map_err(|error| InjectError::Unknown(format!("try the link: {error}")))?;
    note(evidence, struck == in_force, lane, &text);
    Ok(())
}

fn reset(
    link: &Link,
    lane: usize,
    packets: u32,
    until: Instant,
) -> std::io::Result<(bool, String)> {
    Ok(match reset_trial(link, lane, (0..packets).map(|_| 1), until)? {
        ResetTrial::ResetAfter(passed) => {
            (true, format!("a connection was reset after {passed} packets with data"))
        }
        ResetTrial::Open => {
            (false, format!("a connection stayed open for {packets} packets with data"))
        }
    })
}

/// As many bytes as may pass, and one more.
fn at_offset(
    link: &Link,
    lane: usize,
    (bytes, in_force): (usize, bool),
    until: Instant,
    evidence: &mut Evidence,
) -> Result<(), InjectError> {
    let chunks = bytes.div_ceil(CHUNK_BYTES_MAX) as u32;
    if chunks > PACKETS_MAX {
        note(evidence, true, lane, "too many bytes for a trial to meet it");
        return Ok(());
    }
    let whole = (0..chunks).scan(bytes, |left, _| {
        let chunk = CHUNK_BYTES_MAX.min(*left);
        *left -= chunk;
        Some(chunk)
    });
    let tried = reset_trial(link, lane, whole.chain(std::iter::once(1)), until);
    let tried = tried.map_err(|error| InjectError::Unknown(format!("try the link: {error}")))?;
    let (as_asked, text) = match tried {
        ResetTrial::ResetAfter(passed) => (
            in_force && passed == chunks,
            format!("a connection was reset after {passed} packets, {chunks} hold {bytes} bytes"),
        ),
        ResetTrial::Open => {
            (!in_force, format!("a connection stayed open for more than {bytes} bytes"))
        }
    };
    note(evidence, as_asked, lane, &text);
    Ok(())
}

/// How many queries met the failure, and what is to be said of it.
fn dns(
    link: &Link,
    lane: usize,
    packets: u32,
    act: DnsAct,
    until: Instant,
) -> std::io::Result<(usize, String)> {
    // A query that is not held back is seldom so late, even on a busy machine.
    let never = Duration::from_millis(500);
    let (code, slow) = match act {
        DnsAct::Answer { code } => (code, never),
        DnsAct::HoldBack { by } => (0, by),
        DnsAct::Drop => (0, never),
    };
    if matches!(act, DnsAct::HoldBack { .. }) && Instant::now() + slow > until {
        return Err(std::io::ErrorKind::TimedOut.into());
    }
    let trial = dns_trial(link, lane, packets as usize, (code, slow), until)?;
    let DnsTrial { sent, passed, slow, answered } = trial;
    let struck = match act {
        DnsAct::Answer { .. } => answered,
        DnsAct::HoldBack { .. } => slow,
        DnsAct::Drop => sent.saturating_sub(passed + slow + answered),
    };
    let text = format!(
        "of {sent} queries of DNS {passed} passed, {slow} were slow, {answered} were answered on the way"
    );
    Ok((struck, text))
}
