//! Faults of what comes in at an interface, seen by a client behind it and in the kernel.

use std::sync::{Arc, MutexGuard, PoisonError};

use anyhow::Context;
use bulkhead_chaos::{CarrierChoice, ChaosId, Fault, Target};

use super::network::{MANY, PATIENCE_MS};
use super::{Staged, is_soon};
use crate::bench::chaos::Lane;
use crate::bench::chaos::lane::{Looker, Wire};

/// For an answer that does not come; one that does takes far less, on a quiet machine.
const LOST_MS: u64 = 300;

/// An interface to strike.
struct Struck {
    fault: Fault,
    carrier: CarrierChoice,
    wire: Arc<Wire>,
    sees: fn(&mut Looker) -> anyhow::Result<bool>,
}

pub(super) fn stage(
    lane: &Lane,
    carrier: CarrierChoice,
    fault: &str,
    sees: fn(&mut Looker) -> anyhow::Result<bool>,
) -> anyhow::Result<Box<dyn Staged>> {
    let fault = serde_json::from_str(fault).context("read a fault")?;
    Ok(Box::new(Struck { fault, carrier, wire: lane.wire()?, sees }))
}

pub(super) fn loses_queries(looker: &mut Looker) -> anyhow::Result<bool> {
    Ok(looker.dns(LOST_MS)?.is_none())
}

impl Struck {
    fn looker(&self) -> MutexGuard<'_, Looker> {
        self.wire.looker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything passes, and the kernel has nothing there.
    fn is_well(&self) -> anyhow::Result<bool> {
        let mut looker = self.looker();
        let seen = looker.echo(MANY, 56, 100, PATIENCE_MS)?;
        let passes = seen.received == MANY && looker.dns(PATIENCE_MS)?.is_some();
        Ok(passes && self.wire.left(self.carrier)?.is_empty())
    }
}

impl Staged for Struck {
    fn fault(&self) -> Fault {
        self.fault.clone()
    }

    fn target(&self) -> anyhow::Result<Target> {
        Ok(Target::Interface(self.wire.target(self.carrier)))
    }

    /// The kernel has it, and packets meet it.
    fn is_struck(&mut self, _: ChaosId) -> bool {
        let is_there = self.wire.left(self.carrier).is_ok_and(|there| !there.is_empty());
        is_there && (self.sees)(&mut self.looker()).unwrap_or(false)
    }

    fn is_left_behind(&mut self, _: ChaosId) -> bool {
        !is_soon(|| self.is_well().unwrap_or(false))
    }
}
