//! Faults of a link, seen by a client at its end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use bulkhead_chaos::{ChaosId, Fault, Target};

use super::{Staged, is_soon};
use crate::bench::chaos::lane::{LinkUse, Looker, PORT};
use crate::bench::look::EchoSeen;

/// Echoes that are enough where the fault befalls all of them.
const FEW: u16 = 5;
/// So many that a fault of every second packet shows: it misses all of them once in a thousand million.
pub(super) const MANY: u16 = 30;
/// Of an echo, behind its header.
const BYTES: usize = 56;
/// For those that are lost.
const WAIT_MS: u64 = 50;
/// For those that are only late, also on a busy machine.
pub(super) const PATIENCE_MS: u64 = 3_000;
/// For an answer of DNS.
const DNS_MS: u64 = 2_000;
/// Half of what the fault delays.
const LATE: Duration = Duration::from_millis(10);

/// A link to strike.
struct Struck {
    fault: Fault,
    name: String,
    link: Arc<Mutex<LinkUse>>,
    sees: fn(&mut Looker) -> anyhow::Result<bool>,
}

pub(super) fn stage(
    link: Arc<Mutex<LinkUse>>,
    fault: &str,
    sees: fn(&mut Looker) -> anyhow::Result<bool>,
) -> anyhow::Result<Box<dyn Staged>> {
    let fault = serde_json::from_str(fault).context("read a fault")?;
    let name = link.lock().unwrap_or_else(PoisonError::into_inner).name.clone();
    Ok(Box::new(Struck { fault, name, link, sees }))
}

pub(super) fn loses_all(link: &mut Looker) -> anyhow::Result<bool> {
    Ok(link.echo(FEW, BYTES, 100, WAIT_MS)?.received == 0)
}

pub(super) fn loses_some(link: &mut Looker) -> anyhow::Result<bool> {
    let seen = link.echo(MANY, BYTES, 100, WAIT_MS)?;
    Ok(seen.received < MANY && seen.received > 0)
}

pub(super) fn is_late(link: &mut Looker) -> anyhow::Result<bool> {
    let seen = link.echo(FEW, BYTES, 100, PATIENCE_MS)?;
    Ok(seen.received == FEW && quickest(&seen) >= 2 * LATE)
}

pub(super) fn overtakes(link: &mut Looker) -> anyhow::Result<bool> {
    Ok(link.echo(MANY, BYTES, 500, PATIENCE_MS)?.overtaken > 0)
}

pub(super) fn copies(link: &mut Looker) -> anyhow::Result<bool> {
    Ok(link.echo(FEW, BYTES, 100, PATIENCE_MS)?.copies > 0)
}

/// Twenty packets of 1,028 bytes take 82 ms at 2 Mbit/s.
pub(super) fn is_narrow(link: &mut Looker) -> anyhow::Result<bool> {
    let seen = link.echo(20, 1_000, 0, PATIENCE_MS)?;
    Ok(seen.received == 20 && Duration::from_micros(seen.span_us) >= Duration::from_millis(60))
}

pub(super) fn resets(link: &mut Looker) -> anyhow::Result<bool> {
    Ok(link.web(PORT)?.is_none())
}

/// The link itself answers; nobody listens at its end.
pub(super) fn denies_names(link: &mut Looker) -> anyhow::Result<bool> {
    const NXDOMAIN: u8 = 3;
    Ok(link.dns(DNS_MS)? == Some(NXDOMAIN))
}

const fn quickest(seen: &EchoSeen) -> Duration {
    Duration::from_micros(seen.quickest_us)
}

/// Everything passes, once, in order and without delay.
fn is_well(link: &mut Looker) -> anyhow::Result<bool> {
    let seen = link.echo(MANY, BYTES, 100, PATIENCE_MS)?;
    let passes = seen.received == MANY && seen.copies == 0 && seen.overtaken == 0;
    Ok(passes
        && quickest(&seen) < LATE
        && link.web(PORT)? == Some(200)
        && link.dns(DNS_MS)?.is_none())
}

impl Staged for Struck {
    fn fault(&self) -> Fault {
        self.fault.clone()
    }

    fn target(&self) -> anyhow::Result<Target> {
        Ok(Target::Link { name: self.name.clone() })
    }

    fn is_struck(&mut self, _: ChaosId) -> bool {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        (self.sees)(&mut link.looker).unwrap_or(false)
    }

    /// A link whose client is gone has gone itself, with everything on it: that it has is looked for
    /// where processes and devices are.
    fn is_left_behind(&mut self, _: ChaosId) -> bool {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        !is_soon(|| is_well(&mut link.looker).unwrap_or(true))
    }
}
