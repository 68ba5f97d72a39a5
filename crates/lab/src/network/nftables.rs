//! Losses by a table of nftables.
//!
//! Each fault has a table of its own, whose chain is on the ingress hook of one device. The table has
//! an owner, the socket that made it: nobody else may change it, and it vanishes with its process. Its
//! rules match only while the set `armed` holds the interface, and the kernel takes that element away
//! when the fault's time is over, whatever has become of us.
//!
//! The messages are written here: `netlink-packet-netfilter` 0.4 has neither `numgen` nor counters nor
//! batches, `nftnl` needs a library of C, and `rustables` has a licence that we cannot take.

mod conversation;
mod expression;
mod table;

use std::io;

use bulkhead_chaos::{CarrierChoice, LossLaw};

use super::carrier::{Mechanism, Sight, StrikePlan};
use conversation::Conversation;

/// Losses by a table of nftables.
#[derive(Clone, Copy, Debug)]
pub struct Nftables;

impl Mechanism for Nftables {
    type Holding = Conversation;

    fn choice(&self) -> CarrierChoice {
        CarrierChoice::Nftables
    }

    fn name(&self) -> &'static str {
        "nftables"
    }

    fn obeys(&self, law: LossLaw) -> Result<(), &'static str> {
        match law {
            LossLaw::Bernoulli { .. } | LossLaw::Nth { .. } => Ok(()),
            _ => Err("its rules remember nothing from packet to packet, as bursts of losses need"),
        }
    }

    fn is_seeded(&self, law: LossLaw) -> bool {
        !matches!(law, LossLaw::Bernoulli { share } if share < 1.0)
    }

    fn rehearse(&self, plan: &StrikePlan) -> io::Result<()> {
        Conversation::begin()?.batch(requests(plan)?, false)
    }

    fn strike(&self, plan: &StrikePlan) -> io::Result<Conversation> {
        let conversation = Conversation::begin()?;
        conversation.batch(requests(plan)?, true)?;
        Ok(conversation)
    }

    fn look(&self, plan: &StrikePlan) -> io::Result<Option<Sight>> {
        table::look(plan)
    }

    fn release(&self, plan: &StrikePlan, holding: Conversation) -> io::Result<()> {
        match holding.batch(vec![table::removal(plan)], true) {
            // The interface was deleted with its namespace, or the table by the kernel.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn remedy(&self) -> &'static str {
        "run the lab as root, or as root of a user namespace with a network of its own (`unshare -rn`), on a kernel with nf_tables and its netdev family (CONFIG_NF_TABLES_NETDEV, CONFIG_NFT_NUMGEN; owners of tables need Linux 5.12)"
    }
}

/// Names of the tables of faults in this network.
pub(super) fn tables() -> io::Result<Vec<String>> {
    table::names()
}

fn requests(plan: &StrikePlan) -> io::Result<Vec<super::netlink::Request>> {
    let impossible = || io::Error::new(io::ErrorKind::Unsupported, "no rule loses packets so");
    table::requests(plan).ok_or_else(impossible)
}

#[cfg(test)]
mod tests;
