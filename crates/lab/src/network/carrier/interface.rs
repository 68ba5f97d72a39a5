//! Faults of the packets that come in at an interface that exists already, by one [`Mechanism`].

mod look;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bulkhead_chaos::{
    CarrierChoice, ChaosId, Effect, Fault, InterfaceTarget, LossLaw, Order, Strike, Target,
    Transport,
};
use serde_json::json;

use super::{Carrier, Count, Mechanism, Sight, StrikePlan};
use crate::network::place::Place;
use crate::network::{NetworkError, interface, maker};
use crate::{Evidence, Handle, InjectError, Injector, Refusal, Surroundings};

/// Most faults that are held at a time.
const HELD_MAX: usize = 1_024;

/// Carries losses, partitions and lost queries of DNS at interfaces of this host.
///
/// An interface of the lab's own namespace is struck only within a scope of addresses or ports, since
/// what controls the lab and its targets may cross it.
pub struct InterfaceInjector<M: Mechanism> {
    mechanism: M,
    held: Mutex<BTreeMap<ChaosId, Held<M::Holding>>>,
    /// Where the lab is controlled over TCP.
    control: Vec<SocketAddr>,
}

/// A fault of this process.
struct Held<H> {
    place: Arc<Place>,
    /// `None`: it was taken back.
    holding: Option<H>,
    /// What the kernel had of it when it was taken back.
    last: Option<Sight>,
    /// What of it were the lab's own probes.
    probes: Effect,
}

impl<M: Mechanism> InterfaceInjector<M> {
    /// By a mechanism.
    pub const fn new(mechanism: M) -> Self {
        Self { mechanism, held: Mutex::new(BTreeMap::new()), control: Vec::new() }
    }

    /// One that never strikes what goes to an address where the lab is controlled over TCP.
    #[must_use]
    pub fn sparing(mut self, control: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.control.extend(control);
        self
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<ChaosId, Held<M::Holding>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a fault of this process is.
    fn place_of(&self, id: ChaosId) -> Option<Arc<Place>> {
        self.held().get(&id).map(|held| Arc::clone(&held.place))
    }

    /// Whether the scope keeps the fault off what controls the lab and its targets.
    fn spares_control(&self, target: &InterfaceTarget) -> Result<(), Refusal> {
        if !target.scope.is_bounded() {
            return Err(Refusal::new(
                format!(
                    "`{}` is in the lab's own network namespace, and what controls the lab or its targets may cross it",
                    target.name
                ),
                "bound the fault by `scope`: an address or a port of client or server; or give the targets a `namespace` of their own",
            ));
        }
        let covered = |address: &&SocketAddr| {
            target.scope.covers(Transport::Tcp, address.ip(), address.port())
        };
        match self.control.iter().find(covered) {
            Some(address) => Err(Refusal::new(
                format!("the scope covers {address}, where the lab is controlled"),
                "name another `server_port`, or let the lab listen on a Unix socket",
            )),
            None => Ok(()),
        }
    }

    fn plan(&self, order: &Order, left: Duration) -> Result<(StrikePlan, Vec<String>), Refusal> {
        let docs = "see docs/chaos-network.md";
        let (Fault::Network(fault), Target::Interface(target)) = (&order.fault, &order.target)
        else {
            return Err(Refusal::new("this is no fault of an interface", docs));
        };
        let checked = fault.check().map_err(|error| Refusal::new(error.to_string(), docs))?;
        let strikes =
            target.strikes(&checked).map_err(|error| Refusal::new(error.to_string(), docs))?;
        let plan = StrikePlan {
            id: order.id.bits(),
            name: format!("bulkhead_chaos_{}", order.id.to_string().replace('-', "_")),
            interface: target.name.clone(),
            index: 0,
            strikes,
            time_to_live: left,
            seed: order.seed,
        };
        Ok((plan, checked.notes))
    }

    fn obeys(&self, strikes: &[Strike]) -> Result<(), Refusal> {
        let refused = strikes.iter().find_map(|strike| self.mechanism.obeys(strike.law).err());
        refused.map_or(Ok(()), |why| {
            let reason =
                format!("{} cannot lose packets by this law: {why}", self.mechanism.name());
            Err(Refusal::new(reason, "order it with `carrier: auto`, or on a link"))
        })
    }

    fn rehearse(&self, place: &Place, plan: &mut StrikePlan) -> Result<(), Refusal> {
        let remedy = self.mechanism.remedy();
        let refused = |error: NetworkError| Refusal::new(error.told(), remedy);
        let index = place.run(|| interface::index(&plan.interface)).map_err(refused)?;
        plan.index = index.map_err(|error| {
            Refusal::new(
                format!("there is no interface `{}` there: {error}", plan.interface),
                "name one of `ip link`, and the `namespace` in which it is",
            )
        })?;
        place.run(|| self.mechanism.rehearse(plan)).map_err(refused)?.map_err(|error| {
            let reason = format!("the kernel does not let {} in: {error}", self.mechanism.name());
            Refusal::new(reason, remedy)
        })
    }

    /// Where an order's interface is, whoever struck it. `None`: it is not there any more.
    fn find_place(&self, order: &Order, handle: &Handle) -> Option<Arc<Place>> {
        self.place_of(order.id).or_else(|| {
            let Target::Interface(target) = &order.target else { return None };
            let place = Place::of(target).ok()?;
            (handle["namespace_id"] == place.name().as_str()).then(|| Arc::new(place))
        })
    }
}

impl<M: Mechanism> Carrier for InterfaceInjector<M> {
    fn choice(&self) -> CarrierChoice {
        self.mechanism.choice()
    }

    fn name(&self) -> &'static str {
        self.mechanism.name()
    }

    fn suits(&self, order: &Order) -> Result<String, Refusal> {
        let (plan, _) = self.plan(order, Duration::ZERO)?;
        self.obeys(&plan.strikes)?;
        let seeded = |law: LossLaw| self.mechanism.is_seeded(law);
        let random = if plan.strikes.iter().all(|strike| seeded(strike.law)) {
            "the same packets meet the same fate under the same seed"
        } else {
            "chances are the kernel's own, and no seed repeats them"
        };
        Ok(format!("it can carry the fault on this host; {random}"))
    }
}

impl<M: Mechanism> Injector for InterfaceInjector<M> {
    fn takes(&self, fault: &Fault) -> bool {
        matches!(fault, Fault::Network(_))
    }

    fn reaches(&self, target: &Target) -> bool {
        matches!(target, Target::Interface(_))
    }

    fn prepare(&self, order: &Order, around: Surroundings) -> Result<Handle, Refusal> {
        let (mut plan, mut notes) = self.plan(order, around.left(order))?;
        self.obeys(&plan.strikes)?;
        let Target::Interface(target) = &order.target else {
            return Err(Refusal::new("this is no interface", "name one"));
        };
        let place = Place::of(target).map_err(|error| {
            Refusal::new(error.told(), "name a file such as /run/netns/NAME or /proc/PID/ns/net")
        })?;
        if place.is_own() {
            self.spares_control(target)?;
        }
        self.rehearse(&place, &mut plan)?;
        notes.push(
            "packets are counted as the interface hands them up: on lo and veth, or with GRO, one may be many segments".to_owned(),
        );
        let mut handle = json!({
            "carrier": self.mechanism.name(),
            "namespace": target.namespace,
            "namespace_id": place.name(),
            "interface": plan.interface,
            "name": plan.name,
            "rules": plan.strikes.iter().map(told).collect::<Vec<_>>(),
            "notes": notes,
        });
        maker::sign(&mut handle);
        Ok(handle)
    }

    fn inject(&self, order: &Order, _: &Handle, around: Surroundings) -> Result<(), InjectError> {
        if self.held().get(&order.id).is_some_and(|held| held.holding.is_some()) {
            return Ok(());
        }
        if !make_room(&mut self.held(), HELD_MAX) {
            return Err(InjectError::Transient(format!("{HELD_MAX} faults are held already")));
        }
        let (mut plan, _) = self.plan(order, around.still(order)?).map_err(permanent)?;
        let Target::Interface(target) = &order.target else {
            return Err(InjectError::Permanent("this is no interface".to_owned()));
        };
        let place = Place::of(target).map_err(|error| InjectError::Permanent(error.told()))?;
        let holding = place
            .run(|| {
                plan.index = interface::index(&plan.interface)?;
                self.mechanism.strike(&plan)
            })
            .map_err(|error| InjectError::Permanent(error.told()))?
            .map_err(|error| InjectError::Permanent(format!("strike an interface: {error}")))?;
        let probes = Effect::default();
        let held = Held { place: Arc::new(place), holding: Some(holding), last: None, probes };
        self.held().insert(order.id, held);
        Ok(())
    }

    fn verify(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        self.look_at_it(order, handle, around)
    }

    fn revert(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<(), InjectError> {
        let holding = self.held().get_mut(&order.id).and_then(|held| held.holding.take());
        let Some(holding) = holding else { return self.nobody_holds(handle) };
        let unknown = |error: NetworkError| InjectError::Unknown(error.told());
        let (mut plan, _) = self.plan(order, around.left(order)).map_err(permanent)?;
        let place = self.place_of(order.id).ok_or_else(|| {
            InjectError::Unknown("it is being taken back by another call".to_owned())
        })?;
        let (last, released) = place
            .run(|| {
                plan.index = interface::index(&plan.interface).unwrap_or_default();
                let last = self.mechanism.look(&plan).ok().flatten();
                (last, self.mechanism.release(&plan, holding))
            })
            .map_err(unknown)?;
        if let Some(held) = self.held().get_mut(&order.id) {
            held.last = last;
        }
        released.map_err(|error| InjectError::Unknown(format!("end a strike: {error}")))
    }

    fn verify_reverted(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        self.look_whether_gone(order, handle, around)
    }

    /// It is forgotten then.
    fn effect(&self, order: &Order, _: &Handle, _: Surroundings) -> Option<Effect> {
        let held = self.held().remove(&order.id)?;
        let count = |count: &Count| Effect { hits: count.struck, seen: count.seen };
        let all = held.last?.counts.iter().map(count).reduce(Effect::plus)?;
        Some(all.without(held.probes))
    }
}

/// Whether one more can be held, in place of the oldest that was taken back and never asked what it did.
fn make_room<H>(held: &mut BTreeMap<ChaosId, Held<H>>, most: usize) -> bool {
    if held.len() < most {
        return true;
    }
    // Ids ascend with time.
    let ended = held.iter().find(|(_, it)| it.holding.is_none()).map(|(id, _)| *id);
    ended.is_some_and(|id| held.remove(&id).is_some())
}

/// A strike for people.
fn told(strike: &Strike) -> String {
    let share = match strike.law {
        LossLaw::Nth { every } => format!("the last of each {every}"),
        LossLaw::GilbertElliott { .. } => {
            format!("{:.4} % in bursts", 100.0 * strike.law.mean())
        }
        law => format!("{:.4} %", 100.0 * law.mean()),
    };
    format!("ingress: {}: lose {share}", strike.packets)
}

/// What was refused when it was permitted already stays refused.
fn permanent(refusal: Refusal) -> InjectError {
    InjectError::Permanent(refusal.to_string())
}

#[cfg(test)]
mod tests {
    use bulkhead_chaos::Random;

    use super::*;

    #[test]
    fn what_nobody_asked_about_makes_room_and_what_is_in_force_does_not() {
        let target = InterfaceTarget::new("lo");
        let mut held = BTreeMap::new();
        let mut random = Random::new(1);
        let ids: Vec<_> =
            (1..=3).map(|ms| ChaosId::new(Duration::from_millis(ms), &mut random)).collect();
        for (id, holding) in ids.iter().zip([Some(()), None, None]) {
            let place = Arc::new(Place::of(&target).unwrap());
            let probes = Effect::default();
            held.insert(*id, Held { place, holding, last: None, probes });
        }
        assert!(make_room(&mut held, 4) && held.len() == 3);
        assert!(
            make_room(&mut held, 3) && !held.contains_key(&ids[1]),
            "the oldest that has ended"
        );
        assert!(make_room(&mut held, 2) && !held.contains_key(&ids[2]));
        assert!(!make_room(&mut held, 1) && held.contains_key(&ids[0]), "it is in force");
    }
}
