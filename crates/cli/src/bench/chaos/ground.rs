//! Everything that a bench starts: a lab, and for each of its threads a gateway and a link.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use anyhow::Context;
use bulkhead_origin::{Origin, OriginOptions};

use super::inject;
use super::kills::Kills;
use super::kinds::Kind;
use super::lab::BenchLab;
use super::lane::{GatewayProcess, Lane, Wire};
use super::probe::{self, Before};

/// Everything that a bench starts.
pub(super) struct Ground {
    pub(super) lab: BenchLab,
    /// Links can be made on this machine.
    pub(super) can_link: bool,
    /// Taken by the threads, one each.
    pub(super) lanes: Vec<Lane>,
    pub(super) gateways: Vec<Arc<GatewayProcess>>,
    /// As many as lanes, where they can be made.
    pub(super) wires: Vec<Arc<Wire>>,
    /// Held for reading by each injection: whoever holds it for writing is alone.
    pub(super) gate: RwLock<()>,
    pub(super) kills: Kills,
    pub(super) seed: u64,
    /// What the gateways speak to.
    _origin: Origin,
}

impl Ground {
    /// `wired`: whether interfaces are struck.
    pub(super) fn start(
        directory: &Path,
        lanes: u64,
        seed: u64,
        wired: bool,
    ) -> anyhow::Result<Self> {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let origin = Origin::start(OriginOptions { address: anywhere, ..OriginOptions::default() })
            .context("start an origin")?;
        let start = |_| GatewayProcess::start(origin.addr()).map(Arc::new);
        let gateways: Vec<_> = (0..lanes).map(start).collect::<anyhow::Result<_>>()?;
        let mut wires = Vec::new();
        let mut lane = |(number, gateway): (usize, &Arc<GatewayProcess>)| {
            let wire = match wired {
                true => Wire::make(number).map(Arc::new).map_err(|error| format!("{error:#}")),
                false => Err("no interface is struck".to_owned()),
            };
            wires.extend(wire.iter().cloned());
            Lane::new(number, Arc::clone(gateway), wire)
        };
        let lanes = gateways.iter().enumerate().map(&mut lane).collect();
        let lab = BenchLab::start(directory.join("lab"))?;
        let can_link = probe::can_link(&lab)?;
        Ok(Self {
            lab,
            can_link,
            lanes,
            gateways,
            wires,
            gate: RwLock::new(()),
            kills: Kills::default(),
            seed,
            _origin: origin,
        })
    }

    /// Of these kinds those that this machine can do, and why it cannot do the others.
    pub(super) fn feasible<'a>(
        &mut self,
        kinds: &[&'a Kind],
    ) -> (Vec<&'a Kind>, BTreeMap<&'static str, String>) {
        let mut lanes = std::mem::take(&mut self.lanes);
        let (mut feasible, mut infeasible) = (Vec::new(), BTreeMap::new());
        for kind in kinds {
            match lanes.first_mut().and_then(|lane| inject::why_not(self, lane, kind)) {
                Some(why) => _ = infeasible.insert(kind.name, why),
                None => feasible.push(*kind),
            }
        }
        self.lanes = lanes;
        (feasible, infeasible)
    }

    /// Ends the lab as a user would, and looks for what is left of anything: what was seen, and how many
    /// injections had not ended before.
    pub(super) fn end(self, before: &Before) -> anyhow::Result<(Vec<String>, usize)> {
        let mut left = probe::quiet(&self)?;
        let status = self.lab.ask("GET", "/v1/status", "")?.document;
        let alive = usize::try_from(status["live"].as_u64().unwrap_or_default());
        if !self.lab.end()? {
            left.push("the lab says that not everything could be taken back".to_owned());
        }
        drop(self);
        left.extend(before.compare(Duration::from_secs(15)));
        Ok((left, alive.unwrap_or(usize::MAX)))
    }
}
