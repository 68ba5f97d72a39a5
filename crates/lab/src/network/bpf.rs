//! Losses by programs of BPF.
//!
//! Each strike of a fault has a program on the ingress of one interface (TCX) and a value that it shares
//! with us: counts, the state of bursts, and when its time is over, at which the program itself looks for
//! each packet. Programs are put together here, instruction by instruction, with seed and shares in them.
//! They live as long as the descriptor of their link, and so no longer than this process.

mod assembler;
mod program;

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::time::Duration;

use bulkhead_chaos::{CarrierChoice, LossLaw, Strike};
use bulkhead_transport::{
    BpfValue, attach_bpf_ingress, bpf_ingress_filters, bpf_values_of, load_bpf_filter,
};
use rustix::time::{ClockId, clock_gettime};

use super::carrier::{Count, Mechanism, Sight, StrikePlan};
use super::link::SECOND_LANE;
use program::{begins_bad, program, shared};

/// What `bpftool` calls them; a name has 15 bytes, so that the chaos id is in the value.
const NAME: &str = "bulkhead_chaos";

/// Losses by programs of BPF.
#[derive(Clone, Copy, Debug)]
pub struct Bpf;

/// Links that keep programs at an interface.
#[derive(Debug)]
pub struct BpfLinks(Vec<OwnedFd>);

impl Mechanism for Bpf {
    type Holding = BpfLinks;

    fn choice(&self) -> CarrierChoice {
        CarrierChoice::Bpf
    }

    fn name(&self) -> &'static str {
        "bpf"
    }

    fn obeys(&self, law: LossLaw) -> Result<(), &'static str> {
        match law {
            LossLaw::Bernoulli { .. } | LossLaw::Nth { .. } | LossLaw::GilbertElliott { .. } => {
                Ok(())
            }
            _ => Err("its program does not know it"),
        }
    }

    fn is_seeded(&self, _: LossLaw) -> bool {
        true
    }

    fn rehearse(&self, plan: &StrikePlan) -> io::Result<()> {
        bpf_ingress_filters(plan.index)?;
        load(plan).map(|_| ())
    }

    fn strike(&self, plan: &StrikePlan) -> io::Result<BpfLinks> {
        let filters = load(plan)?;
        let links = filters.iter().map(|filter| attach_bpf_ingress(filter, plan.index));
        Ok(BpfLinks(links.collect::<io::Result<_>>()?))
    }

    fn look(&self, plan: &StrikePlan) -> io::Result<Option<Sight>> {
        if plan.index == 0 {
            // The interface is gone, and its programs with it.
            return Ok(None);
        }
        let mut ours: Vec<Vec<u8>> = Vec::new();
        for filter in bpf_ingress_filters(plan.index)? {
            for value in ignore_gone(bpf_values_of(filter))?.unwrap_or_default() {
                let Some(value) = ignore_gone(BpfValue::of_id(value))? else { continue };
                let value = value.read()?;
                if value.len() == shared::BYTES && value.starts_with(&plan.id()) {
                    ours.push(value);
                }
            }
        }
        // Names begin with the id, then tell the strike.
        ours.sort();
        Ok((!ours.is_empty()).then(|| sight(&ours)))
    }

    fn release(&self, _: &StrikePlan, holding: BpfLinks) -> io::Result<()> {
        drop(holding.0);
        Ok(())
    }

    fn remedy(&self) -> &'static str {
        "run the lab, or `bulkhead chaos hold-carriers` for it, as root of the host (CAP_BPF and CAP_NET_ADMIN, CAP_SYS_ADMIN to look at it) on Linux 6.6 or newer (CONFIG_NET_XGRESS); in a user namespace choose nftables"
    }
}

impl StrikePlan {
    fn id(&self) -> [u8; 16] {
        self.id.to_ne_bytes()
    }
}

/// Programs that nothing sends packets to yet. Each keeps its value.
fn load(plan: &StrikePlan) -> io::Result<Vec<OwnedFd>> {
    if cfg!(target_endian = "big") {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let expires = now() + plan.time_to_live;
    let seeds = [plan.seed, plan.seed ^ SECOND_LANE];
    plan.strikes
        .iter()
        .zip(seeds)
        .enumerate()
        .map(|(place, (strike, seed))| {
            let value = BpfValue::new(NAME, &value(plan, place, expires, strike, seed))?;
            let code = program(strike, seed, value.as_fd().as_raw_fd());
            load_bpf_filter(NAME, &code, c"Apache-2.0")
        })
        .collect()
}

fn value(
    plan: &StrikePlan,
    place: usize,
    expires: Duration,
    strike: &Strike,
    seed: u64,
) -> [u8; shared::BYTES] {
    let mut value = [0; shared::BYTES];
    value[shared::NAME..][..16].copy_from_slice(&plan.id());
    // The lowest byte last, so that names are in the order of strikes.
    value[shared::NAME + 16..][..8].copy_from_slice(&(place as u64).to_be_bytes());
    let expires = u64::try_from(expires.as_nanos()).unwrap_or(u64::MAX);
    value[shared::EXPIRES..][..8].copy_from_slice(&expires.to_ne_bytes());
    let bad = u64::from(begins_bad(strike.law, seed));
    value[shared::BAD..][..8].copy_from_slice(&bad.to_ne_bytes());
    value
}

fn sight(values: &[Vec<u8>]) -> Sight {
    let word = |value: &[u8], place: usize| {
        value.get(place..).and_then(<[u8]>::first_chunk).map_or(0, |it| u64::from_ne_bytes(*it))
    };
    let expires = values.iter().map(|value| word(value, shared::EXPIRES)).min().unwrap_or_default();
    let left = Duration::from_nanos(expires).checked_sub(now()).filter(|left| !left.is_zero());
    let count = |value: &Vec<u8>| Count {
        seen: word(value, shared::SEEN),
        struck: word(value, shared::STRUCK),
    };
    Sight { left, counts: values.iter().map(count).collect() }
}

/// What is gone between two looks was not there.
fn ignore_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        // Values of others may be of other kinds.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The clock that programs read.
fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.cast_unsigned(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests;
