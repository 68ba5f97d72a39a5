//! What carries faults of the network, and which of it is chosen for an order.
//!
//! Carriers differ in what they can do to packets, where they reach, and what they need of the host:
//! the packet box of a link can do everything, filters on ingress can lose packets of interfaces that
//! exist already, and netem can delay what leaves them. All but netem hold the fault's time to live without
//! us and vanish with their process, so that netem is asked last.

mod interface;
mod loopback;

use std::io;
use std::time::Duration;

use bulkhead_chaos::{CarrierChoice, Effect, Fault, LossLaw, Order, Strike, Target};

use crate::{Evidence, Handle, InjectError, Injector, Refusal, Surroundings};

pub use interface::InterfaceInjector;

/// Carries faults of the network in one way. Its handles name it as `carrier`.
pub trait Carrier: Injector {
    /// What an order calls it.
    fn choice(&self) -> CarrierChoice;

    /// What reports call it.
    fn name(&self) -> &'static str;

    /// Why it is the one for an order to a target that it reaches; of two, the first is asked first.
    ///
    /// # Errors
    /// Why it is not.
    fn suits(&self, order: &Order) -> Result<String, Refusal>;
}

/// Carries out `network.*` by the first of its carriers that can.
pub struct NetworkInjector(Vec<Box<dyn Carrier>>);

impl NetworkInjector {
    /// Without any carrier.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// With one more, which is asked after the others.
    #[must_use]
    pub fn with(mut self, carrier: impl Carrier + 'static) -> Self {
        self.0.push(Box::new(carrier));
        self
    }

    /// The carrier that the handle names.
    fn of(&self, handle: &Handle) -> Result<&dyn Carrier, InjectError> {
        let name = handle["carrier"].as_str().unwrap_or_default();
        let carrier = self.0.iter().find(|carrier| carrier.name() == name);
        carrier.map(|carrier| &**carrier).ok_or_else(|| {
            InjectError::Permanent(format!("this lab does not have the carrier `{name}`"))
        })
    }
}

impl Default for NetworkInjector {
    fn default() -> Self {
        Self::new()
    }
}

impl Injector for NetworkInjector {
    fn takes(&self, fault: &Fault) -> bool {
        matches!(fault, Fault::Network(_))
    }

    fn reaches(&self, target: &Target) -> bool {
        self.0.iter().any(|carrier| carrier.reaches(target))
    }

    fn prepare(&self, order: &Order, around: Surroundings) -> Result<Handle, Refusal> {
        let asked = match &order.target {
            Target::Interface(target) => target.carrier,
            _ => CarrierChoice::Auto,
        };
        let admitted = self.0.iter().filter(|carrier| {
            carrier.reaches(&order.target)
                && (asked == CarrierChoice::Auto || asked == carrier.choice())
        });
        let mut passed_over: Vec<(&str, Refusal)> = Vec::new();
        for carrier in admitted {
            let prepared = carrier
                .suits(order)
                .and_then(|why| carrier.prepare(order, around).map(|handle| (handle, why)));
            match prepared {
                Ok((mut handle, why)) => {
                    let others = passed_over.iter().map(|(name, it)| format!("{name}: {it}"));
                    handle["carrier"] = carrier.name().into();
                    handle["chosen_because"] = if asked == CarrierChoice::Auto {
                        why.into()
                    } else {
                        "the order asks for it".into()
                    };
                    handle["passed_over"] = others.collect();
                    return Ok(handle);
                }
                Err(refusal) => passed_over.push((carrier.name(), refusal)),
            }
        }
        Err(refusal(asked, passed_over))
    }

    fn inject(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<(), InjectError> {
        self.of(handle)?.inject(order, handle, around)
    }

    fn verify(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        self.of(handle)?.verify(order, handle, around)
    }

    fn revert(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<(), InjectError> {
        self.of(handle)?.revert(order, handle, around)
    }

    fn verify_reverted(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        self.of(handle)?.verify_reverted(order, handle, around)
    }

    fn effect(&self, order: &Order, handle: &Handle, around: Surroundings) -> Option<Effect> {
        self.of(handle).ok()?.effect(order, handle, around)
    }
}

/// Why none of them could.
fn refusal(asked: CarrierChoice, mut passed_over: Vec<(&str, Refusal)>) -> Refusal {
    if passed_over.is_empty() {
        let reason = if asked == CarrierChoice::Auto {
            "faults of the network strike links and interfaces".to_owned()
        } else {
            format!(
                "the carrier that is asked for ({asked:?}) carries no faults of interfaces here"
            )
        };
        return Refusal::new(
            reason,
            "name a link of the lab, or an interface with `carrier: auto`, `bpf`, `nftables` or `netem`",
        );
    }
    // What is wrong with the order itself, all say alike.
    passed_over.dedup_by(|one, other| one.1 == other.1);
    if passed_over.len() == 1 {
        return passed_over.remove(0).1;
    }
    let reasons: Vec<String> =
        passed_over.iter().map(|(name, it)| format!("{name}: {}", it.reason)).collect();
    let remedies: Vec<String> =
        passed_over.iter().map(|(name, it)| format!("for {name}, {}", it.remedy)).collect();
    Refusal::new(reasons.join("; "), &remedies.join("; "))
}

/// A way to lose packets that come in at an interface. All calls are made in its network namespace.
pub trait Mechanism: Send + Sync + 'static {
    /// What keeps the fault in force; the kernel ends the fault when it is dropped.
    type Holding: Send;

    /// See [`Carrier::choice`].
    fn choice(&self) -> CarrierChoice;

    /// See [`Carrier::name`].
    fn name(&self) -> &'static str;

    /// Whether it can lose packets by this law.
    ///
    /// # Errors
    /// Why not.
    fn obeys(&self, law: LossLaw) -> Result<(), &'static str>;

    /// Whether the same packets meet the same fate under the same seed.
    fn is_seeded(&self, law: LossLaw) -> bool;

    /// Finds out whether the host would let it strike, without any effect on packets.
    ///
    /// # Errors
    /// What the kernel says.
    fn rehearse(&self, plan: &StrikePlan) -> io::Result<()>;

    /// Puts the plan into force.
    ///
    /// # Errors
    /// What the kernel says. Nothing is in force then.
    fn strike(&self, plan: &StrikePlan) -> io::Result<Self::Holding>;

    /// What the kernel has of the plan, found without the holding. `None`: nothing.
    ///
    /// # Errors
    /// It could not be looked at.
    fn look(&self, plan: &StrikePlan) -> io::Result<Option<Sight>>;

    /// Ends it.
    ///
    /// # Errors
    /// What the kernel says; it is ended by the drop of the holding all the same.
    fn release(&self, plan: &StrikePlan, holding: Self::Holding) -> io::Result<()>;

    /// What to do where the host does not let it.
    fn remedy(&self) -> &'static str;
}

/// What a mechanism is to do.
#[derive(Clone, Debug)]
pub struct StrikePlan {
    /// The chaos id as a number.
    pub id: u128,
    /// Name of what is put into the kernel; one for each chaos id.
    pub name: String,
    /// Name of the interface.
    pub interface: String,
    /// Its number.
    pub index: u32,
    /// Which packets are lost, 1 or 2.
    pub strikes: Vec<Strike>,
    /// How long from now.
    pub time_to_live: Duration,
    /// Everything random is drawn from it.
    pub seed: u64,
}

/// What the kernel has of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// How long the kernel will keep it in force. `None`: its time is over.
    pub left: Option<Duration>,
    /// For each strike.
    pub counts: Vec<Count>,
}

/// Packets that a strike met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Which it was about.
    pub seen: u64,
    /// Which were lost.
    pub struck: u64,
}
