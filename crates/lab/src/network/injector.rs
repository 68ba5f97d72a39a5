//! `network.*` on links of the lab.

mod trial;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bulkhead_chaos::{
    CarrierChoice, Effect, Expectation, Fault, NetworkFault, Order, StageKey, StageReport,
    TIME_TO_LIVE_MAX, Target,
};
use serde_json::json;

use super::carrier::Carrier;
use super::mover::{CommandError, LaneReport, LinkReport};
use super::{Link, LinkError, maker};
use crate::{Evidence, Handle, InjectError, Injector, Refusal, Surroundings};

/// Probes that must all arrive, without delay, on a link that was healed.
const HEALED_PROBES: u64 = 500;
/// How often probes that were late are sent again.
const LATE_REPEATS: u32 = 6;
/// Before that.
const LATE_PAUSE: Duration = Duration::from_millis(50);
/// Verifications leave so much of their time to the answer.
const RESERVE: Duration = Duration::from_millis(5);

/// The links of this process, by name.
#[derive(Clone, Debug, Default)]
pub struct Links(Arc<Mutex<BTreeMap<String, Arc<Link>>>>);

impl Links {
    /// Makes a link known under its name, in place of an older one.
    pub fn add(&self, link: &Arc<Link>) {
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        links.insert(link.name().to_owned(), Arc::clone(link));
    }

    /// Forgets a link; it lives on where it is held.
    pub fn remove(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// The link of that name.
    pub fn get(&self, name: &str) -> Option<Arc<Link>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

/// Carries out `network.*` in the packet box of a link.
///
/// The box holds each fault's time to live, so that nobody needs to take it back; links, and with them
/// their faults, vanish with the process that made them.
#[derive(Clone, Debug)]
pub struct LinkInjector {
    links: Links,
}

impl LinkInjector {
    /// For these links.
    pub const fn new(links: Links) -> Self {
        Self { links }
    }

    /// Lets a fault that is in force last until the order's end, which was moved; what it draws and
    /// counts goes on. For whoever needs one longer than [`TIME_TO_LIVE_MAX`]: the box still ends it
    /// soon after it is not renewed any more.
    ///
    /// # Errors
    /// As [`Link::renew`].
    pub fn renew(&self, order: &Order, around: Surroundings) -> Result<(), InjectError> {
        let Some(link) = self.link(order) else {
            return Err(InjectError::Permanent("the link is gone".to_owned()));
        };
        Ok(link.renew(key(order), expiry(order, around)?, around.deadline)?)
    }

    /// The link of an order that is in this process.
    fn link(&self, order: &Order) -> Option<Arc<Link>> {
        match &order.target {
            Target::Link { name } => self.links.get(name),
            _ => None,
        }
    }
}

impl Carrier for LinkInjector {
    fn choice(&self) -> CarrierChoice {
        CarrierChoice::Box
    }

    fn name(&self) -> &'static str {
        "packet box"
    }

    fn suits(&self, _: &Order) -> Result<String, Refusal> {
        Ok("links have a packet box, which can do everything".to_owned())
    }
}

impl Injector for LinkInjector {
    fn takes(&self, fault: &Fault) -> bool {
        matches!(fault, Fault::Network(_))
    }

    fn reaches(&self, target: &Target) -> bool {
        matches!(target, Target::Link { .. })
    }

    fn prepare(&self, order: &Order, around: Surroundings) -> Result<Handle, Refusal> {
        let fault = network(order)
            .ok_or_else(|| Refusal::new("this is no network fault", "choose another injector"))?;
        let checked = fault
            .check()
            .map_err(|error| Refusal::new(error.to_string(), "see docs/chaos-network.md"))?;
        let link = self.link(order).ok_or_else(|| {
            Refusal::new(
                format!("there is no such link in this process: {:?}", order.target),
                "name a link that the lab has made",
            )
        })?;
        link.report(around.deadline).map_err(|error| {
            Refusal::new(error.to_string(), "make the link anew, or wait until its box answers")
        })?;
        let mut handle = json!({
            "link": link.name(),
            "carrier": self.name(),
            "devices": link.kind().name(),
            "congestion_control": link.congestion_control(),
            "notes": checked.notes,
        });
        maker::sign(&mut handle);
        Ok(handle)
    }

    fn inject(&self, order: &Order, _: &Handle, around: Surroundings) -> Result<(), InjectError> {
        let (Some(fault), Some(link)) = (network(order), self.link(order)) else {
            return Err(InjectError::Permanent("the link is gone".to_owned()));
        };
        let expires = expiry(order, around)?;
        link.impose(key(order), fault, order.seed, expires, around.deadline)?;
        Ok(())
    }

    fn verify(
        &self,
        order: &Order,
        _: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        let Some(link) = self.link(order) else {
            return Ok(Evidence { holds: false, seen: "the link is gone".to_owned() });
        };
        let mut evidence = Evidence { holds: true, seen: String::new() };
        let before = link.report(around.deadline)?;
        if !is_in_force(&before, key(order)) {
            let seen = "the box does not have the fault".to_owned();
            return Ok(Evidence { holds: false, seen });
        }
        for lane in [0, 1] {
            if stage(&before, lane, key(order)).is_some() {
                probe(&link, &before, lane, 0, around.deadline, &mut evidence)?;
            }
        }
        try_lanes(&link, order, true, around.deadline, &mut evidence)?;
        let after = link.report(around.deadline)?;
        for lane in [0, 1] {
            count(&before, &after, lane, key(order), &mut evidence);
        }
        Ok(evidence)
    }

    fn revert(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<(), InjectError> {
        match self.link(order) {
            Some(link) => Ok(link.lift(key(order), around.deadline)?),
            None => gone(handle).map(|_| ()),
        }
    }

    fn verify_reverted(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        let Some(link) = self.link(order) else {
            return gone(handle);
        };
        let report = match link.report(around.deadline) {
            Err(CommandError::Gone) => {
                let seen = "the box has ended, and the link with it".to_owned();
                return Ok(Evidence { holds: true, seen });
            }
            other => other?,
        };
        if is_in_force(&report, key(order)) {
            let seen = "the box still has the fault".to_owned();
            return Ok(Evidence { holds: false, seen });
        }
        let mut evidence = Evidence { holds: true, seen: String::new() };
        for lane in [0, 1] {
            probe(&link, &report, lane, HEALED_PROBES, around.deadline, &mut evidence)?;
        }
        try_lanes(&link, order, false, around.deadline, &mut evidence)?;
        Ok(evidence)
    }

    fn effect(&self, order: &Order, _: &Handle, around: Surroundings) -> Option<Effect> {
        self.link(order)?.effect(key(order), around.deadline).ok()?
    }
}

/// Trials of the lanes that the order strikes.
fn try_lanes(
    link: &Link,
    order: &Order,
    in_force: bool,
    deadline: Instant,
    evidence: &mut Evidence,
) -> Result<(), InjectError> {
    let checked = network(order).and_then(|fault| fault.check().ok());
    let lanes = checked.map_or([None; 2], |fault| [fault.upstream, fault.downstream]);
    let until = deadline.checked_sub(RESERVE).unwrap_or(deadline);
    for (lane, asked) in lanes.iter().enumerate() {
        if let Some(asked) = asked {
            trial::run(link, lane, (asked, in_force), until, evidence)?;
        }
    }
    Ok(())
}

/// Probes a lane with at least `least` packets and holds what arrives against all faults that are in
/// force there.
fn probe(
    link: &Link,
    report: &LinkReport,
    lane: usize,
    least: u64,
    deadline: Instant,
    evidence: &mut Evidence,
) -> Result<(), InjectError> {
    let faults = &lane_of(report, lane).faults;
    let expected = Expectation::of(faults.iter().map(|stage| &stage.impairment));
    let until = deadline.checked_sub(RESERVE).unwrap_or(deadline);
    let mut repeats = LATE_REPEATS;
    loop {
        if Instant::now() + expected.patience() > until {
            return Err(InjectError::Unknown(format!(
                "probes may take {:?}, which is longer than is left for this step",
                expected.patience()
            )));
        }
        let tally = link
            .prober()
            .run(link, lane, least, &expected, until)
            .map_err(|error| InjectError::Unknown(format!("probe the link: {error}")))?;
        let judgement = expected.judge(&tally);
        // A busy machine delays as a fault does, but not for ever.
        let again = judgement.only_late && repeats > 0 && Instant::now() + LATE_PAUSE < until;
        if !again {
            note(evidence, judgement.holds, lane, &judgement.seen);
            return Ok(());
        }
        repeats -= 1;
        std::thread::sleep(LATE_PAUSE);
    }
}

/// Holds what the box counted against what must have passed it.
fn count(
    before: &LinkReport,
    after: &LinkReport,
    lane: usize,
    key: StageKey,
    evidence: &mut Evidence,
) {
    let Some(first) = stage(before, lane, key) else { return };
    match stage(after, lane, key) {
        Some(second) => {
            let (seen, struck) = (second.seen - first.seen, second.struck - first.struck);
            note(evidence, seen > 0, lane, &format!("the box struck {struck} of {seen} packets"));
        }
        None => note(evidence, false, lane, "the fault ended while it was looked at"),
    }
}

fn note(evidence: &mut Evidence, holds: bool, lane: usize, text: &str) {
    evidence.holds &= holds;
    if !evidence.seen.is_empty() {
        evidence.seen.push_str("; ");
    }
    evidence.seen.push_str(["upstream: ", "downstream: "][lane]);
    evidence.seen.push_str(text);
}

/// When the box is to end it. A clock that was set back makes no life longer.
fn expiry(order: &Order, around: Surroundings) -> Result<Instant, InjectError> {
    Ok(Instant::now() + around.still(order)?.min(TIME_TO_LIVE_MAX))
}

fn network(order: &Order) -> Option<&NetworkFault> {
    match &order.fault {
        Fault::Network(fault) => Some(fault),
        _ => None,
    }
}

const fn key(order: &Order) -> StageKey {
    order.id.bits()
}

const fn lane_of(report: &LinkReport, lane: usize) -> &LaneReport {
    if lane == 0 { &report.upstream } else { &report.downstream }
}

fn stage(report: &LinkReport, lane: usize, key: StageKey) -> Option<&StageReport> {
    lane_of(report, lane).faults.iter().find(|stage| stage.key == key)
}

fn is_in_force(report: &LinkReport, key: StageKey) -> bool {
    [0, 1].into_iter().any(|lane| stage(report, lane, key).is_some())
}

/// A link that this process does not have: it vanished with the process that made it, or that one
/// lives and has to be asked.
pub(super) fn gone(handle: &Handle) -> Result<Evidence, InjectError> {
    match maker::lives_elsewhere(handle) {
        None => Ok(Evidence { holds: true, seen: "the link vanished with its process".to_owned() }),
        Some(maker) => Err(InjectError::Unknown(format!(
            "process {maker} still holds the link; its box ends the fault when its time is over"
        ))),
    }
}

impl From<CommandError> for InjectError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Busy | CommandError::TooManyFaults(_) => {
                Self::Transient(error.to_string())
            }
            CommandError::Gone | CommandError::NoSuchFault => Self::Permanent(error.to_string()),
            CommandError::Late => Self::Unknown(error.to_string()),
        }
    }
}

impl From<LinkError> for InjectError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Command(error) => error.into(),
            LinkError::Fault(_) | LinkError::TooLong => Self::Permanent(error.to_string()),
        }
    }
}
