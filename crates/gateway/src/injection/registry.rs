//! The rules of run time, from the moment that somebody asks for one to the moment that nobody needs to
//! know of it any more.
//!
//! A name is used once: who asks again finds what is there, and a rule that was taken back before it
//! came never comes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bulkhead_chaos::{
    Fault, FaultRefusal, FaultReport, FaultRule, FaultRuleError, FaultState, Placed,
};
use bulkhead_upstream::stable_hash;

use super::own::{Levers, Own};
use super::{FaultTable, RULES_MAX, Rule};

/// Rules that have ended and are still known, so that asking for one again does not bring it back.
const ENDED_MAX: usize = 1_024;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Injections {
    state: Mutex<State>,
    /// Whether there is a rule that may have to be ended.
    any: AtomicBool,
    /// Goes up with each change of the table.
    version: AtomicU64,
    pub(crate) levers: Levers,
}

#[derive(Debug, Default)]
struct State {
    live: Vec<Live>,
    /// The one that ended last is at the back.
    ended: VecDeque<Ended>,
    table: FaultTable,
}

/// A rule that has ended. Exchanges that it befell may still be there.
#[derive(Debug)]
struct Ended {
    report: FaultReport,
    rule: Option<Arc<Rule>>,
}

impl Ended {
    fn report(&self) -> FaultReport {
        match &self.rule {
            Some(rule) => counted(self.report.clone(), rule),
            None => self.report.clone(),
        }
    }
}

/// With what the rule has counted by now.
fn counted(report: FaultReport, rule: &Rule) -> FaultReport {
    FaultReport {
        hits: rule.hits(),
        seen: rule.seen(),
        active: rule.active(),
        groups: rule.groups(),
        ..report
    }
}

/// A rule in force.
#[derive(Debug)]
struct Live {
    id: String,
    rule: FaultRule,
    deadline: Instant,
    /// Version of the table that has it first.
    since: u64,
    carrier: Carrier,
}

/// Who carries a rule out.
#[derive(Debug)]
enum Carrier {
    Exchanges(Arc<Rule>),
    Own(Own),
}

impl Carrier {
    /// `Err`: it cannot be done.
    fn of(id: &str, rule: &FaultRule, deadline: Instant) -> Result<Self, FaultRefusal> {
        let invalid = |error: &dyn std::fmt::Display| FaultRefusal::Invalid(error.to_string());
        match &rule.fault {
            Fault::Http(fault) => {
                fault.check().map_err(|error| invalid(&error))?;
                // Without a seed, rules that are put at once do not all decide the same.
                let seed = if rule.seed == 0 { stable_hash(id.as_bytes()) } else { rule.seed };
                let rule = Rule::new(fault, seed, Some(deadline)).map_err(FaultRefusal::Invalid)?;
                Ok(Self::Exchanges(Arc::new(rule)))
            }
            Fault::Gateway(fault) => {
                fault.check().map_err(|error| invalid(&error))?;
                Own::of(fault, deadline).map(Self::Own).map_err(FaultRefusal::Impossible)
            }
            other => Err(invalid(&FaultRuleError::Family(other.kind()))),
        }
    }
}

impl Live {
    /// `version`: of the table that all workers have.
    fn report(
        &self,
        state: FaultState,
        now: Instant,
        version: u64,
        levers: &Levers,
    ) -> FaultReport {
        let left = match state {
            FaultState::Active => self.deadline.saturating_duration_since(now),
            FaultState::Done | FaultState::Expired | FaultState::Removed => Duration::ZERO,
        };
        let report = FaultReport {
            id: self.id.clone(),
            state,
            rule: Some(self.rule.clone()),
            hits: 0,
            seen: 0,
            active: 0,
            ttl_left_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
            in_force: state == FaultState::Active && version >= self.since,
            done: None,
            groups: None,
        };
        match &self.carrier {
            Carrier::Exchanges(rule) => counted(report, rule),
            Carrier::Own(own) => FaultReport { hits: own.hits(levers), done: own.tell(), ..report },
        }
    }
}

impl Injections {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rules that befall exchanges, and the version of this table.
    pub(crate) fn table(&self) -> (FaultTable, u64) {
        let state = self.state();
        (state.table.clone(), self.version.load(Ordering::Relaxed))
    }

    /// Version of the table.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    /// Notes a rule. Whoever calls hands the new table to the workers.
    pub(crate) fn put(
        &self,
        id: &str,
        rule: FaultRule,
        now: Instant,
    ) -> Result<Placed, FaultRefusal> {
        let invalid = |error: &dyn std::fmt::Display| FaultRefusal::Invalid(error.to_string());
        FaultRule::check_id(id).map_err(|error| invalid(&error))?;
        rule.check().map_err(|error| invalid(&error))?;
        self.sweep(now);
        if let Some(report) = self.known(&self.state(), id, &rule, now)? {
            return Ok(Placed::Unchanged(report));
        }
        let deadline = now + rule.ttl();
        // Not under the lock: it may take a while.
        let carrier = Carrier::of(id, &rule, deadline)?;
        let mut state = self.state();
        if let Some(report) = self.known(&state, id, &rule, now)? {
            return Ok(Placed::Unchanged(report));
        }
        if let Carrier::Own(own) = &carrier {
            own.begin(&self.levers);
        }
        let since = self.version.load(Ordering::Relaxed) + 1;
        let live = Live { id: id.to_owned(), rule, deadline, since, carrier };
        let report = live.report(FaultState::Active, now, 0, &self.levers);
        state.live.push(live);
        self.changed(&mut state);
        Ok(Placed::Created(report))
    }

    /// The rule of this name, if it is the same. `Err`: there can be none.
    fn known(
        &self,
        state: &State,
        id: &str,
        rule: &FaultRule,
        now: Instant,
    ) -> Result<Option<FaultReport>, FaultRefusal> {
        if let Some(live) = state.live.iter().find(|live| live.id == id) {
            if !is_same(&live.rule, rule) {
                let text = format!("there is another fault with the id {id}");
                return Err(FaultRefusal::Conflict(text));
            }
            return Ok(Some(live.report(FaultState::Active, now, 0, &self.levers)));
        }
        if let Some(ended) =
            state.ended.iter().map(|ended| &ended.report).find(|ended| ended.id == id)
        {
            let same = ended.rule.as_ref().is_some_and(|ended| is_same(ended, rule));
            if ended.state == FaultState::Done && same {
                return Ok(Some(ended.clone()));
            }
            return Err(FaultRefusal::Conflict(format!("the fault {id} has ended: take a new id")));
        }
        if state.live.len() >= RULES_MAX {
            return Err(FaultRefusal::Full(format!("there are {RULES_MAX} faults already")));
        }
        Ok(None)
    }

    /// A momentary fault has happened.
    pub(crate) fn done(&self, id: &str, done: String, now: Instant) -> Option<FaultReport> {
        let mut state = self.state();
        let at = state.live.iter().position(|live| live.id == id)?;
        let live = state.live.remove(at);
        let report = FaultReport {
            hits: 1,
            done: Some(done),
            ..live.report(FaultState::Done, now, 0, &self.levers)
        };
        remember(&mut state, report.clone(), None);
        self.changed(&mut state);
        Some(report)
    }

    /// A momentary fault could not be carried out: it was never there.
    pub(crate) fn forget(&self, id: &str) {
        let mut state = self.state();
        state.live.retain(|live| live.id != id);
        self.changed(&mut state);
    }

    fn changed(&self, state: &mut State) {
        let carriers = || state.live.iter().map(|live| &live.carrier);
        state.table = FaultTable {
            rules: carriers()
                .filter_map(|carrier| match carrier {
                    Carrier::Exchanges(rule) => Some(rule.clone()),
                    Carrier::Own(_) => None,
                })
                .collect(),
            pools: carriers()
                .filter_map(|carrier| match carrier {
                    Carrier::Own(Own::Pools(limit)) => Some(limit.clone()),
                    _ => None,
                })
                .collect(),
            stalls: carriers()
                .filter_map(|carrier| match carrier {
                    Carrier::Own(Own::Stall(stall)) => Some(stall.clone()),
                    _ => None,
                })
                .collect(),
            rotations: carriers()
                .filter_map(|carrier| match carrier {
                    Carrier::Own(Own::Rotation(rotation)) => Some(rotation.clone()),
                    _ => None,
                })
                .collect(),
        };
        self.any.store(!state.live.is_empty(), Ordering::Relaxed);
        self.version.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes a rule back, as of now. It is not waited for any worker.
    pub(crate) fn remove(&self, id: &str, now: Instant) -> Result<FaultReport, FaultRefusal> {
        FaultRule::check_id(id).map_err(|error| FaultRefusal::Invalid(error.to_string()))?;
        self.sweep(now);
        let mut state = self.state();
        if let Some(at) = state.live.iter().position(|live| live.id == id) {
            return Ok(self.end(&mut state, at, FaultState::Removed, now));
        }
        if let Some(ended) = state.ended.iter().find(|ended| ended.report.id == id) {
            return Ok(ended.report());
        }
        // It may be on its way, behind the wish to have it taken back.
        let never = FaultReport {
            id: id.to_owned(),
            state: FaultState::Removed,
            rule: None,
            hits: 0,
            seen: 0,
            active: 0,
            ttl_left_ms: 0,
            in_force: false,
            done: None,
            groups: None,
        };
        remember(&mut state, never.clone(), None);
        Ok(never)
    }

    /// Takes all of them back. Gives how many there were.
    pub(crate) fn remove_all(&self, now: Instant) -> usize {
        self.sweep(now);
        let mut state = self.state();
        let count = state.live.len();
        while !state.live.is_empty() {
            self.end(&mut state, 0, FaultState::Removed, now);
        }
        count
    }

    fn end(&self, state: &mut State, at: usize, how: FaultState, now: Instant) -> FaultReport {
        let live = state.live.remove(at);
        let report = live.report(how, now, 0, &self.levers);
        let rule = match &live.carrier {
            Carrier::Exchanges(rule) => {
                rule.end();
                Some(rule.clone())
            }
            Carrier::Own(own) => {
                own.end(&self.levers);
                None
            }
        };
        remember(state, report.clone(), rule);
        self.changed(state);
        report
    }

    /// Ends what is due. No lock if there is no rule. True: the table has changed.
    pub(crate) fn sweep(&self, now: Instant) -> bool {
        if !self.any.load(Ordering::Relaxed) {
            return false;
        }
        let mut state = self.state();
        let mut any = false;
        while let Some(at) = state.live.iter().position(|live| live.deadline <= now) {
            self.end(&mut state, at, FaultState::Expired, now);
            any = true;
        }
        any
    }

    /// All rules in force, and then those that have ended, as far as they are known. `version`: of the
    /// table that all workers have.
    pub(crate) fn reports(&self, now: Instant, version: u64) -> Vec<FaultReport> {
        self.sweep(now);
        let state = self.state();
        let live = state
            .live
            .iter()
            .map(|live| live.report(FaultState::Active, now, version, &self.levers));
        live.chain(state.ended.iter().rev().map(Ended::report)).collect()
    }

    /// One of them.
    pub(crate) fn report(&self, id: &str, now: Instant, version: u64) -> Option<FaultReport> {
        self.sweep(now);
        let state = self.state();
        if let Some(live) = state.live.iter().find(|live| live.id == id) {
            return Some(live.report(FaultState::Active, now, version, &self.levers));
        }
        state.ended.iter().rev().find(|ended| ended.report.id == id).map(Ended::report)
    }
}

/// Whoever asks again says how much time is left, which is less: the first time holds.
fn is_same(one: &FaultRule, other: &FaultRule) -> bool {
    one.fault == other.fault && one.seed == other.seed
}

fn remember(state: &mut State, report: FaultReport, rule: Option<Arc<Rule>>) {
    if state.ended.len() >= ENDED_MAX {
        state.ended.pop_front();
    }
    state.ended.push_back(Ended { report, rule });
}

#[cfg(test)]
mod tests;
