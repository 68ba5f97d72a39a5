//! Delays, reordering, copies and rates by the kernel's netem, at the egress of an interface.
//!
//! A netem takes the place of the queue that the kernel gives an interface by itself; one that somebody
//! has put there is never touched. It ends neither with a process nor with a time, so that it is put there
//! by a child process that does nothing but wait in the namespace, and takes it away when its parent is gone
//! or the time is over. If both were killed, the next lab takes it away by the journal.
//!
//! Requests are written here, as they are for nftables: few are made, and `tc` need not be there.

mod distribution;
mod message;
mod parameters;
mod placement;
mod queue;

use std::io;

use bulkhead_chaos::{CarrierChoice, ChaosId, Expectation, Fault, Impairment, Order, Target};
use serde_json::json;

use super::carrier::Carrier;
use super::place::Place;
use super::{NetworkError, interface};
use crate::host::{Children, Task, Work as _};
use crate::injector::part;
use crate::process::look_until;
use crate::{Evidence, GuardianCommand, Handle, InjectError, Injector, Refusal, Surroundings};
use parameters::Setting;
pub(crate) use placement::Placement;
use queue::Queue;

const DOCS: &str = "see docs/chaos-network.md";
const INSTEAD: &str = "order it on a link (`target: {link: …}`), whose packet box needs no netem";
/// Handles of ours: these with 14 bits of the chaos id. Those that are given by hand are small, and the
/// kernel's own begin with 8000.
const MAJOR_FIRST: u16 = 0x4000;
const MAJOR_MASK: u128 = 0x3fff;

/// Upper 16 bits of the handle of the netem of an injection.
pub(super) const fn major(id: ChaosId) -> u16 {
    MAJOR_FIRST | (id.bits() & MAJOR_MASK) as u16
}

/// Carries faults of what leaves an interface, by netem.
///
/// An interface of the lab's own namespace is refused: a netem strikes all that leaves, and what controls
/// the lab and its targets may.
#[derive(Debug)]
pub struct NetemInjector {
    children: Children,
}

impl NetemInjector {
    /// `command`: how to start a process that calls [`carry`](crate::carry).
    pub fn new(command: GuardianCommand) -> Self {
        Self { children: Children::new(command) }
    }
}

/// What an order asks of packets that leave, and what there is to say of it.
fn asked(order: &Order) -> Result<(Impairment, Vec<String>), Refusal> {
    let (Fault::Network(fault), Target::Interface(target)) = (&order.fault, &order.target) else {
        return Err(Refusal::new("this is no fault of an interface", DOCS));
    };
    let checked = fault.check().map_err(|error| Refusal::new(error.to_string(), DOCS))?;
    let leaving =
        target.leaving(&checked).map_err(|error| Refusal::new(error.to_string(), DOCS))?;
    let mut notes = checked.notes;
    notes.push(
        "packets are counted as the interface is given them: with segmentation offload one may be many segments; those that wait when it is taken back are lost"
            .to_owned(),
    );
    match leaving {
        Impairment::Corrupt { .. } => notes.push(
            "the bit may be one of the header of Ethernet, too, and is one of the part of the packet that lies in one piece"
                .to_owned(),
        ),
        Impairment::Bandwidth { .. } => notes.push(
            "the queue is counted in packets of 1,500 bytes: small ones fill it with fewer bytes"
                .to_owned(),
        ),
        _ => {}
    }
    Ok((leaving, notes))
}

fn setting(order: &Order, leaving: &Impairment, header_bytes: i32) -> Result<Setting, Refusal> {
    Setting::of(leaving, header_bytes, order.seed)
        .map_err(|why| Refusal::new(format!("netem cannot do this: {why}"), INSTEAD))
}

/// Looks at the interface in its namespace, and asks the kernel for netem.
fn place(order: &Order, place: &Place, leaving: &Impairment) -> Result<Placement, Refusal> {
    let Target::Interface(target) = &order.target else {
        return Err(Refusal::new("this is no interface", "name one"));
    };
    let index = interface::index(&target.name).map_err(|error| {
        Refusal::new(
            format!("there is no interface `{}` there: {error}", target.name),
            "name one of `ip link`, and the `namespace` in which it is",
        )
    })?;
    let cannot = |error: io::Error| Refusal::new(error.to_string(), INSTEAD);
    let queue = Queue::of(index).map_err(cannot)?;
    if !queue.is_default() {
        return Err(Refusal::new(
            format!("{} has {}", target.name, placement::told(&queue)),
            "one queue is at the root of an interface: take it away first (`tc qdisc del dev NAME root`; one of the lab by `bulkhead chaos revert`), or order it on a link",
        ));
    }
    let major = major(order.id);
    queue::rehearse(index, major).map_err(|error| not_let_in(&error))?;
    let header_bytes = queue::header_bytes(index).map_err(cannot)?;
    Ok(Placement {
        namespace: target.namespace.clone(),
        namespace_id: place.name(),
        interface: target.name.clone(),
        index,
        major,
        setting: setting(order, leaving, header_bytes)?,
        before: queue.kind,
    })
}

fn not_let_in(error: &io::Error) -> Refusal {
    if error.kind() == io::ErrorKind::NotFound {
        return Refusal::new(
            "the kernel does not let netem in: it has none (CONFIG_NET_SCH_NETEM, module sch_netem)",
            INSTEAD,
        );
    }
    Refusal::new(
        format!("the kernel does not let netem in: {error}"),
        "run the lab, or `bulkhead chaos hold-carriers` for it, with CAP_NET_ADMIN in the namespace of the interface, or order it on a link",
    )
}

fn task(handle: &Handle) -> Result<Placement, InjectError> {
    part(handle, "placement")
}

fn unknown(error: io::Error) -> InjectError {
    InjectError::Unknown(error.to_string())
}

impl Carrier for NetemInjector {
    fn choice(&self) -> CarrierChoice {
        CarrierChoice::Netem
    }

    fn name(&self) -> &'static str {
        "netem"
    }

    fn suits(&self, order: &Order) -> Result<String, Refusal> {
        let (leaving, _) = asked(order)?;
        setting(order, &leaving, 0)?;
        Ok("it is what can do this to packets that leave an interface; chances are the kernel's own, of the seed from Linux 6.6 on".to_owned())
    }
}

impl Injector for NetemInjector {
    fn takes(&self, fault: &Fault) -> bool {
        matches!(fault, Fault::Network(_))
    }

    fn reaches(&self, target: &Target) -> bool {
        matches!(target, Target::Interface(_))
    }

    fn prepare(&self, order: &Order, _: Surroundings) -> Result<Handle, Refusal> {
        let (leaving, notes) = asked(order)?;
        let Target::Interface(target) = &order.target else {
            return Err(Refusal::new("this is no interface", "name one"));
        };
        let refused = |error: NetworkError| {
            Refusal::new(error.told(), "name a file such as /run/netns/NAME or /proc/PID/ns/net")
        };
        let namespace = Place::of(target).map_err(refused)?;
        if namespace.is_own() {
            return Err(Refusal::new(
                format!(
                    "`{}` is in the lab's own network namespace, and netem strikes all that leaves it, what controls the lab and its targets too",
                    target.name
                ),
                "give the targets a `namespace` of their own, or order it on a link",
            ));
        }
        let placement = namespace.run(|| place(order, &namespace, &leaving)).map_err(refused)??;
        Ok(json!({
            "rules": [format!("egress: all packets: {}", placement.setting.parameters)],
            "distribution": placement.setting.law,
            "in_place_of": placement.before,
            "taken_back_by": "a process in the namespace, when the one that holds the carriers is gone or the time is over",
            "notes": notes,
            "placement": placement,
        }))
    }

    fn inject(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<(), InjectError> {
        let left = around.still(order)?;
        self.children.start(order.id, &Task::Netem(task(handle)?), left, around.deadline)
    }

    fn verify(
        &self,
        order: &Order,
        handle: &Handle,
        _: Surroundings,
    ) -> Result<Evidence, InjectError> {
        let placement = task(handle)?;
        let Some(child) = self.children.find(order.id) else {
            let seen = "netem: no process is there to take it back".to_owned();
            return Ok(Evidence { holds: false, seen });
        };
        if let Some(how) = child.lost() {
            let seen = format!("netem: nobody is there to take it back: {how}");
            return Ok(Evidence { holds: false, seen });
        }
        let mut evidence = placement.see().map_err(unknown)?;
        judge(order, &placement, &mut evidence).map_err(unknown)?;
        Ok(evidence)
    }

    fn revert(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<(), InjectError> {
        let placement = task(handle)?;
        self.children.end(order.id, around.deadline).map_err(unknown)?;
        placement.restore().map_err(unknown)
    }

    fn verify_reverted(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        let placement = task(handle)?;
        let evidence = look_until(around.deadline, || match placement.look_restored() {
            Ok(evidence) => evidence,
            Err(error) => Evidence { holds: false, seen: error.to_string() },
        });
        Ok(self.children.telling_how_lost(order.id, evidence))
    }
}

/// Holds what a netem dropped, where it is to lose packets, against what was asked.
fn judge(order: &Order, placement: &Placement, evidence: &mut Evidence) -> io::Result<()> {
    let Ok((leaving @ (Impairment::Loss(_) | Impairment::Partition), _)) = asked(order) else {
        return Ok(());
    };
    let (seen, dropped) = placement.counted()?;
    if seen > 0 {
        let judgement = Expectation::of([&leaving]).judge_struck(seen, dropped);
        evidence.holds &= judgement.holds;
        evidence.seen.push_str(&format!("; {}", judgement.seen));
    }
    Ok(())
}
