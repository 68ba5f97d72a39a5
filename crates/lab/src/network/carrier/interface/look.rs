//! Whether the kernel has a fault, and whether packets meet it.

use std::time::{Duration, Instant};

use bulkhead_chaos::{Effect, Expectation, Impairment, Order, Strike, Target};

use super::super::loopback::Probes;
use super::super::{Count, Mechanism, Sight, StrikePlan};
use super::{InterfaceInjector, permanent};
use crate::network::{interface, maker};
use crate::{Evidence, Handle, InjectError, Surroundings};

/// Losses that must be expected before none of them is a contradiction: e⁻¹².
const TELLING: f64 = 12.0;
/// Longest way of a probe over a loopback interface.
const WAY_MAX: Duration = Duration::from_millis(50);
/// Most probes of a strike; rarer losses are told by counts alone.
const PROBES_MAX: u64 = 2_048;

impl<M: Mechanism> InterfaceInjector<M> {
    /// Looks into the kernel, on a way of its own, and at packets: at those that came by, and on a
    /// loopback interface at probes too.
    pub(super) fn look_at_it(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        let name = self.mechanism.name();
        let Some(place) = self.find_place(order, handle) else {
            return Ok(no(format!("{name}: the network namespace is gone")));
        };
        let (mut plan, _) = self.plan(order, around.left(order)).map_err(permanent)?;
        let loopback = matches!(&order.target, Target::Interface(it) if it.is_loopback());
        place
            .run(|| {
                plan.index = interface::index(&plan.interface).map_err(cannot)?;
                let Some(sight) = self.mechanism.look(&plan).map_err(cannot)? else {
                    return Ok(no(format!("{name}: the kernel has no {}", plan.name)));
                };
                let Some(left) = sight.left else {
                    return Ok(no(format!("{name}: its time is over")));
                };
                let mut evidence = Evidence {
                    holds: sight.counts.len() == plan.strikes.len(),
                    seen: format!("{name}: in force for {} ms more", left.as_millis()),
                };
                if loopback {
                    self.probe(order, &plan, &sight, around.deadline, &mut evidence)?;
                }
                let after = self.mechanism.look(&plan).map_err(cannot)?.unwrap_or_default();
                judge(&plan.strikes, &after.counts, &mut evidence);
                Ok(evidence)
            })
            .map_err(|error| InjectError::Unknown(error.told()))?
    }

    /// Sends probes over a loopback interface, as many as tell each strike.
    fn probe(
        &self,
        order: &Order,
        plan: &StrikePlan,
        before: &Sight,
        deadline: Instant,
        evidence: &mut Evidence,
    ) -> Result<(), InjectError> {
        for (place, strike) in plan.strikes.iter().enumerate() {
            let Ok(mut probes) = Probes::of(&strike.packets) else {
                evidence.seen.push_str("; no probes could be made");
                continue;
            };
            let seen = |sight: &Sight| sight.counts.get(place).map_or(0, |count| count.seen);
            let count = expectation(strike).probes().min(PROBES_MAX);
            probes.send(count).map_err(cannot)?;
            // What the mechanism has seen has arrived, or is lost; another fault may have been first.
            let until = (Instant::now() + WAY_MAX).min(deadline);
            loop {
                let sight = self.mechanism.look(plan).map_err(cannot)?;
                let met = sight.as_ref().map_or(0, seen).saturating_sub(seen(before));
                if met >= count || Instant::now() >= until {
                    break;
                }
            }
            let (sent, lost) = probes.lost().map_err(cannot)?;
            if let Some(held) = self.held().get_mut(&order.id) {
                held.probes = held.probes.plus(Effect { hits: lost, seen: sent });
            }
            let (share, all) = (strike.law.mean(), lost == sent);
            let some = lost > 0 || sent as f64 * share < TELLING;
            evidence.holds &= if share >= 1.0 { all } else { some };
            evidence.seen.push_str(&format!("; {lost} of {sent} probes lost"));
        }
        Ok(())
    }

    /// For what this process does not hold: it vanished with the process that did, or that one lives.
    pub(super) fn nobody_holds(&self, handle: &Handle) -> Result<(), InjectError> {
        match maker::lives_elsewhere(handle) {
            None => Ok(()),
            Some(maker) => Err(InjectError::Unknown(format!(
                "process {maker} still holds it; the kernel ends it when its time is over"
            ))),
        }
    }

    /// Whether nothing of it is in the kernel.
    pub(super) fn look_whether_gone(
        &self,
        order: &Order,
        handle: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        let name = self.mechanism.name();
        let Some(place) = self.find_place(order, handle) else {
            self.nobody_holds(handle)?;
            let seen = format!("{name}: its namespace is gone, and so is the process that held it");
            return Ok(Evidence { holds: true, seen });
        };
        let (mut plan, _) = self.plan(order, around.left(order)).map_err(permanent)?;
        let sight = place
            .run(|| {
                // An interface that is gone has taken everything with it that was at it.
                plan.index = interface::index(&plan.interface).unwrap_or_default();
                self.mechanism.look(&plan)
            })
            .map_err(|error| InjectError::Unknown(error.told()))?
            .map_err(cannot)?;
        if sight.is_some() {
            return Ok(no(format!("{name}: the kernel still has {}", plan.name)));
        }
        let mut seen = format!("{name}: the kernel has no {}", plan.name);
        // Nobody knows what one had that ended with its process.
        let last = self.held().get(&order.id).and_then(|held| held.last.clone());
        if let Some(sight) = last {
            let (met, struck) =
                sight.counts.iter().fold((0, 0), |sum, it| (sum.0 + it.seen, sum.1 + it.struck));
            seen.push_str(&format!("; it lost {struck} of {met} packets while it was in force"));
        }
        Ok(Evidence { holds: true, seen })
    }
}

/// Holds what was counted since the beginning against what was asked.
fn judge(strikes: &[Strike], counts: &[Count], evidence: &mut Evidence) {
    for (strike, count) in strikes.iter().zip(counts) {
        let text = if count.seen == 0 {
            "no packet has come by yet, so that what becomes of them is not shown".to_owned()
        } else {
            let judgement = expectation(strike).judge_struck(count.seen, count.struck);
            evidence.holds &= judgement.holds;
            judgement.seen
        };
        evidence.seen.push_str(&format!("; {}: {text}", strike.packets));
    }
}

fn expectation(strike: &Strike) -> Expectation {
    Expectation::of([&Impairment::Loss(strike.law)])
}

fn cannot(error: std::io::Error) -> InjectError {
    InjectError::Unknown(format!("look into the kernel: {error}"))
}

fn no(seen: String) -> Evidence {
    Evidence { holds: false, seen }
}
