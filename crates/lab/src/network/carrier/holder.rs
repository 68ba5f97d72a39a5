//! The process that holds carriers: whatever a lab has in the kernel at interfaces is tied to it, and ends
//! with it. It alone needs rights over networks.
//!
//! It may be asked by a lab with fewer rights than its own, and so believes little of what that says: what may
//! be struck is decided here, handles are those that it made itself, and times are those of its own clock.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bulkhead_chaos::{Call, ChaosId, Order, TIME_TO_LIVE_MAX, Target};
use rustix::process::{Signal, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Allowed, InterfaceInjector, NetworkInjector};
use crate::network::answering::{Listener, Steps};
use crate::network::held::{Made, Outcome, Want};
use crate::network::place::Place;
use crate::network::{Bpf, NetemInjector, Nftables, maker, netem};
use crate::{GuardianCommand, Handle, InjectError, Refusal, Surroundings};

/// Injections that are remembered as prepared.
const PREPARED_MAX: usize = 10_000;
/// How far the clocks of one machine may seem to differ: between an order and its preparation.
const CLOCK_SLACK: Duration = Duration::from_secs(5);

/// What a lab says first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Begin {
    /// What tells the lab's own network namespace from others.
    pub(super) network: String,
    /// Where the lab is controlled over TCP.
    pub(super) control: Vec<SocketAddr>,
}

/// Who holds the carriers: a handle that says who made it.
pub(super) type CarrierPlace = Value;

/// What a process does that holds carriers for a lab on the socket that is its standard input: returns when
/// the lab has gone. Whoever calls it ends then, and the kernel takes back what is still in force. `carry`
/// starts a process that calls [`carry`](crate::carry()).
///
/// # Errors
/// The lab says something else.
pub fn hold_carriers(allowed: Allowed, carry: GuardianCommand) -> io::Result<()> {
    // Once more: of a program that has its rights from its file, exec forgets what its parent ordered.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut lab = Listener::of_standard_input()?;
    let Some(begin) = lab.first::<Begin>()? else { return Ok(()) };
    if let Err(why) = is_home(&begin.network) {
        return lab.say(&Made::<CarrierPlace>::Err(why));
    }
    let mut place = Value::Null;
    maker::sign(&mut place);
    lab.say(&Made::<CarrierPlace>::Ok(place))?;
    let injector = NetworkInjector::new()
        .with(InterfaceInjector::new(Bpf).sparing(begin.control.iter().copied()))
        .with(InterfaceInjector::new(Nftables).sparing(begin.control))
        .with(NetemInjector::new(carry));
    let held = Held { allowed, steps: Steps::of(injector), prepared: Mutex::default() };
    lab.serve(move |want, deadline| held.carry_out(want, deadline))
}

/// An interface without a namespace is one of the lab's own, and is looked for here.
fn is_home(network: &str) -> Result<(), String> {
    let own = Place::name_of_own().map_err(|error| error.told())?;
    if own == network {
        return Ok(());
    }
    Err("the process that holds the carriers is in another network namespace than the lab; \
         start it in that of the lab (`nsenter --net=/proc/PID/ns/net`)"
        .to_owned())
}

struct Held {
    allowed: Allowed,
    steps: Steps<NetworkInjector>,
    /// What was permitted, and what it said that taking back needs.
    prepared: Mutex<BTreeMap<ChaosId, (Order, Handle)>>,
}

impl Held {
    fn prepared(&self) -> MutexGuard<'_, BTreeMap<ChaosId, (Order, Handle)>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry_out(&self, want: Want, deadline: Instant) -> Outcome {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let around = Surroundings { deadline, unix };
        match want {
            Want::Call { call, order, handle, .. } => self.call(call, &order, &handle, around),
            Want::Effect { order, handle } => self.steps.effect(&order, &handle, around),
            Want::Counts => Outcome::Counts(Err("carriers count by injection".to_owned())),
        }
    }

    fn call(&self, call: Call, order: &Order, handle: &Handle, around: Surroundings) -> Outcome {
        if let Err(refusal) = self.admit(order, around) {
            return match call {
                Call::Prepare => Outcome::Prepared(Err(refusal)),
                Call::Inject | Call::Revert => Outcome::Done(Err(permanent(&refusal))),
                Call::Verify | Call::VerifyReverted => Outcome::Seen(Err(permanent(&refusal))),
            };
        }
        let ours = self.prepared().get(&order.id).cloned();
        match (call, ours) {
            (Call::Prepare, _) => self.prepare(order, around),
            (Call::Inject, None) => Outcome::Done(Err(InjectError::Permanent(
                "another process has prepared it, which has ended".to_owned(),
            ))),
            (Call::Inject, Some((permitted, _))) if !is_same(&permitted, order) => Outcome::Done(
                Err(InjectError::Permanent("another order was prepared under this id".to_owned())),
            ),
            // One of an earlier process; at the worst a netem of a lab is taken away by it.
            (_, None) => {
                let handle = if is_of(order, handle) { handle } else { &Value::Null };
                self.steps.take(call, order, handle, around)
            }
            (_, Some((_, ours))) => self.end_of(call, order, &ours, around),
        }
    }

    fn prepare(&self, order: &Order, around: Surroundings) -> Outcome {
        let outcome = self.steps.take(Call::Prepare, order, &Value::Null, around);
        if let Outcome::Prepared(Ok(handle)) = &outcome {
            let mut prepared = self.prepared();
            prepared.insert(order.id, (order.clone(), handle.clone()));
            // Ids ascend with time.
            while prepared.len() > PREPARED_MAX {
                prepared.pop_first();
            }
        }
        outcome
    }

    /// A step after the first; what is gone needs no handle any more.
    fn end_of(&self, call: Call, order: &Order, ours: &Handle, around: Surroundings) -> Outcome {
        let outcome = self.steps.take(call, order, ours, around);
        let is_over = matches!(&outcome, Outcome::Seen(Ok(seen)) if seen.holds);
        if call == Call::VerifyReverted && is_over {
            self.prepared().remove(&order.id);
        }
        outcome
    }

    /// Whether it may be carried out here, and not for too long.
    fn admit(&self, order: &Order, around: Surroundings) -> Result<(), Refusal> {
        let left = around.left(order);
        if left > TIME_TO_LIVE_MAX + CLOCK_SLACK {
            let most = TIME_TO_LIVE_MAX.as_secs();
            return Err(Refusal::new(
                format!("its time to live is {} s, and at most {most} s is held", left.as_secs()),
                "order a shorter one",
            ));
        }
        self.allowed.admit(order)
    }
}

/// Whether a handle that somebody else has made is about the interface of its order and no other, and about a
/// netem that a lab may have put there.
fn is_of(order: &Order, handle: &Handle) -> bool {
    let (Target::Interface(target), placement) = (&order.target, &handle["placement"]) else {
        return false;
    };
    placement.is_null()
        || (placement["interface"] == *target.name
            && placement["namespace"] == json!(target.namespace)
            && placement["major"] == netem::major(order.id))
}

/// Whether it is the order that was permitted: preparing asks more than the list of what is allowed.
fn is_same(permitted: &Order, order: &Order) -> bool {
    permitted.fault == order.fault && permitted.target == order.target
}

fn permanent(refusal: &Refusal) -> InjectError {
    InjectError::Permanent(refusal.to_string())
}

#[cfg(test)]
mod tests {
    use bulkhead_chaos::{ChaosId, Fault, InterfaceTarget, Order, Random, Target};
    use serde_json::json;

    use super::{Duration, is_of};

    #[test]
    fn a_handle_of_another_interface_is_not_believed() {
        let mut target = InterfaceTarget::new("eth0");
        target.namespace = Some("/run/netns/blue".into());
        let fault = json!({"partition": {"direction": "upstream"}});
        let order = Order {
            id: ChaosId::new(Duration::from_secs(1), &mut Random::new(1)),
            fault: Fault::Network(serde_json::from_value(fault).unwrap()),
            target: Target::Interface(target),
            seed: 1,
            expires_unix_ms: 1,
        };
        let major = crate::network::netem::major(order.id);
        let placed = |interface: &str, namespace: &str| json!({"placement": {"interface": interface, "namespace": namespace, "major": major}});
        assert!(is_of(&order, &placed("eth0", "/run/netns/blue")));
        assert!(is_of(&order, &json!({"carrier": "bpf"})));
        assert!(!is_of(&order, &placed("eth1", "/run/netns/blue")));
        assert!(!is_of(&order, &placed("eth0", "/proc/1/ns/net")));
        assert!(!is_of(&order, &json!({"placement": {"interface": "eth0"}})));
        let mut by_hand = placed("eth0", "/run/netns/blue");
        by_hand["placement"]["major"] = json!(1);
        assert!(!is_of(&order, &by_hand), "a netem that no lab has put there");
    }
}
