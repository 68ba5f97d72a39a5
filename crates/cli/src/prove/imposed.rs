//! Faults that are in force on the link of a storm.
//!
//! The box ends each after a few minutes, however long the storm is: while the storm goes on it renews
//! them. One that hangs, and renews no more, leaves a link that heals by itself; one that is killed
//! leaves none, for the link vanishes with its process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_chaos::{ChaosId, Fault, Order, Random, Target};
use bulkhead_lab::{
    Evidence, Handle, InjectError, Injector as _, Link, LinkInjector, Links, Surroundings,
};
use serde::Serialize;

use super::ground::{COMMAND_TIMEOUT, unix};
use super::weather::Weather;

/// Time for a renewal. The storm does nothing else meanwhile.
const RENEWAL_TIMEOUT: Duration = Duration::from_millis(200);
/// Time for the probes of a verification, on a busy machine too.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);
/// Probes that did not come to an end are sent again so often.
const PROBE_ATTEMPTS: usize = 3;

/// How faults are kept in force for longer than the box would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keeping {
    /// Time to live of a fault, from its beginning and from each renewal.
    pub(crate) lifetime: Duration,
    /// How often they are renewed.
    pub(crate) every: Duration,
}

impl Default for Keeping {
    /// Between two looks of a storm come at most probes, and requests that wait for their time-out.
    fn default() -> Self {
        Self { lifetime: Duration::from_secs(180), every: Duration::from_secs(30) }
    }
}

/// What probes found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Probed {
    /// `None`: they came to no end, which says nothing.
    pub(crate) holds: Option<bool>,
    pub(crate) seen: String,
    /// When what they look at was begun, since 1970.
    pub(crate) from: Duration,
    /// When they ended, since 1970.
    pub(crate) until: Duration,
}

impl Probed {
    /// What was to be found, and the details if it was not.
    pub(crate) fn describe(&self, what: &str) -> String {
        match self.holds {
            Some(true) => format!("probes: {what}"),
            Some(false) => format!("probes: not so that {what}: {}", self.seen),
            None => format!("probes came to no end: {}", self.seen),
        }
    }
}

/// A fault of the link, as it was ordered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct LinkFault {
    /// Its chaos id.
    pub(crate) id: String,
    pub(crate) fault: Fault,
}

/// How the faults of a link went, from their beginning to their end.
#[derive(Clone, Debug)]
pub(crate) struct LinkLife {
    pub(crate) faults: Vec<LinkFault>,
    /// Time to live of each.
    pub(crate) lifetime: Duration,
    /// How often they all were renewed.
    pub(crate) renewals: u64,
    /// Why they may not have been in force until they were taken back.
    pub(crate) lapsed: Option<String>,
    /// What probes met when they had been imposed.
    pub(crate) verified: Probed,
    /// What probes met when they had been taken back.
    pub(crate) reverted: Probed,
}

/// Faults that are in force on the link. They end by `revert`, with the link, or when they are not
/// renewed any more.
#[derive(Debug)]
pub(crate) struct Imposed {
    injector: LinkInjector,
    orders: Vec<(Order, Handle)>,
    keeping: Keeping,
    renewed: Instant,
    renewals: u64,
    lapsed: Option<String>,
    /// What probes met when it had been imposed.
    pub(crate) verified: Probed,
}

type Look = fn(&LinkInjector, &Order, &Handle, Surroundings) -> Result<Evidence, InjectError>;

impl Imposed {
    pub(super) fn begin(
        link: &Arc<Link>,
        weather: &Weather,
        seed: u64,
        keeping: Keeping,
    ) -> anyhow::Result<Self> {
        let links = Links::default();
        links.add(link);
        let mut imposed = Self {
            injector: LinkInjector::new(links),
            orders: Vec::new(),
            keeping,
            renewed: Instant::now(),
            renewals: 0,
            lapsed: None,
            verified: Probed::default(),
        };
        let (mut random, from) = (Random::new(seed), unix());
        for fault in weather.faults() {
            let order = Order {
                id: ChaosId::new(unix(), &mut random),
                fault: Fault::Network(fault),
                target: Target::Link { name: link.name().to_owned() },
                seed: random.next(),
                expires_unix_ms: (unix() + keeping.lifetime).as_millis() as u64,
            };
            let handle = imposed.injector.prepare(&order, around(COMMAND_TIMEOUT))?;
            imposed.injector.inject(&order, &handle, around(COMMAND_TIMEOUT))?;
            imposed.orders.push((order, handle));
        }
        imposed.verified = imposed.probe(LinkInjector::verify, from, Self::keep);
        Ok(imposed)
    }

    /// Renews the faults when it is time. To be called far more often than they would end.
    pub(crate) fn keep(&mut self) {
        if self.renewed.elapsed() >= self.keeping.every {
            self.renew();
        }
    }

    fn renew(&mut self) {
        self.renewed = Instant::now();
        let expires_unix_ms = (unix() + self.keeping.lifetime).as_millis() as u64;
        for (order, _) in &mut self.orders {
            order.expires_unix_ms = expires_unix_ms;
            match self.injector.renew(order, around(RENEWAL_TIMEOUT)) {
                Ok(()) => {}
                Err(InjectError::Permanent(reason)) => {
                    self.lapsed.get_or_insert_with(|| format!("{}: {reason}", order.fault.kind()));
                    return;
                }
                // There is time for more than one attempt.
                Err(_) => return,
            }
        }
        self.renewals += 1;
    }

    /// Takes everything back and looks whether it is gone.
    pub(crate) fn revert(mut self) -> LinkLife {
        // One that ended since the last renewal is told too.
        self.renew();
        let reverted = self.take_back();
        let fault =
            |(order, _): (Order, _)| LinkFault { id: order.id.to_string(), fault: order.fault };
        LinkLife {
            faults: self.orders.into_iter().map(fault).collect(),
            lifetime: self.keeping.lifetime,
            renewals: self.renewals,
            lapsed: self.lapsed,
            verified: self.verified,
            reverted,
        }
    }

    fn take_back(&mut self) -> Probed {
        let from = unix();
        for (order, handle) in &self.orders {
            if let Err(error) = self.injector.revert(order, handle, around(COMMAND_TIMEOUT)) {
                let (holds, seen) = (Some(false), error.to_string());
                return Probed { holds, seen, from, until: unix() };
            }
        }
        self.probe(LinkInjector::verify_reverted, from, |_| ())
    }

    /// Does `meanwhile` before each look, which may take long.
    fn probe(&mut self, look: Look, from: Duration, meanwhile: fn(&mut Self)) -> Probed {
        let mut all = Probed { holds: Some(true), from, ..Probed::default() };
        for place in 0..self.orders.len() {
            let one = self.probe_one(look, place, meanwhile);
            all.holds = match (all.holds, one.holds) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
            if !all.seen.is_empty() {
                all.seen += "; ";
            }
            all.seen += &format!("{}: {}", self.orders[place].0.fault.kind(), one.seen);
        }
        all.until = unix();
        all
    }

    fn probe_one(&mut self, look: Look, place: usize, meanwhile: fn(&mut Self)) -> Probed {
        let mut told = String::new();
        for _ in 0..PROBE_ATTEMPTS {
            meanwhile(self);
            let (order, handle) = &self.orders[place];
            match look(&self.injector, order, handle, around(PROBE_TIMEOUT)) {
                Ok(Evidence { holds, seen }) => {
                    return Probed { holds: Some(holds), seen, ..Probed::default() };
                }
                Err(error) => told = error.to_string(),
            }
        }
        Probed { seen: told, ..Probed::default() }
    }
}

fn around(timeout: Duration) -> Surroundings {
    Surroundings { deadline: Instant::now() + timeout, unix: unix() }
}

#[cfg(test)]
mod tests;
