//! A link between the gateway and those who speak with it: what becomes of every connection over it, those
//! to come included, while faults of the lab are in force.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use bulkhead_chaos::{Impairment, LinkFault};
use bulkhead_upstream::Rng;

use super::drip::Drip;

/// What a fault does to both directions of a link, seen from those who speak with the gateway.
#[derive(Clone, Debug)]
pub(super) struct Strike {
    pub(super) key: u128,
    pub(super) to: Option<Impairment>,
    pub(super) from: Option<Impairment>,
    pub(super) seed: u64,
    pub(super) expires: Duration,
}

/// See the module. Each connection has lanes of its own, so a bandwidth is one connection's.
#[derive(Debug)]
pub(super) struct Link {
    /// Longest time that a piece takes without faults.
    latency: Duration,
    /// At its ends are clients, and the gateway; else the gateway, and an upstream.
    of_clients: bool,
    strikes: Vec<Strike>,
    connections: u64,
}

impl Link {
    pub(super) const fn new(latency: Duration, of_clients: bool) -> Self {
        Self { latency, of_clients, strikes: Vec::new(), connections: 0 }
    }

    /// A new connection.
    pub(super) fn carry(&mut self, now: Duration, socket: UnixStream, random: &mut Rng) -> Drip {
        self.connections += 1;
        self.strikes.retain(|strike| strike.expires > now);
        let mut drip = Drip::new(socket, self.latency, random);
        for strike in &self.strikes {
            drip.strike(strike, self.connections);
        }
        drip
    }

    /// A fault strikes it, with these connections.
    pub(super) fn strike<'d>(
        &mut self,
        (key, fault): (u128, LinkFault),
        seed: u64,
        expires: Duration,
        connections: impl Iterator<Item = &'d mut Drip>,
    ) {
        let (to, from) = match self.of_clients {
            true => (fault.upstream, fault.downstream),
            false => (fault.downstream, fault.upstream),
        };
        let strike = Strike { key, to, from, seed, expires };
        for drip in connections {
            self.connections += 1;
            drip.strike(&strike, self.connections);
        }
        self.strikes.push(strike);
    }

    /// It is taken back.
    pub(super) fn lift<'d>(&mut self, key: u128, connections: impl Iterator<Item = &'d mut Drip>) {
        self.strikes.retain(|strike| strike.key != key);
        connections.for_each(|drip| drip.lift(key));
    }
}
