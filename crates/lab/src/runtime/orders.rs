//! What clients may ask of a lab.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bulkhead_chaos::{
    ABORT_MAX, APPROVAL_MS_MAX, Approval, Caller, Candidate, ChaosId, InjectRequest, Plan,
    Rejection, RequestError, Role, Submission, Victims,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Lab, Shared, abort};
use crate::{Denied, LabError, Surroundings};

/// How long `prepare` may take in a dry run.
const DRY_RUN_CALL: Duration = Duration::from_millis(225);
/// Victims whose rules a dry run asks for; of the others it tells only who they are.
const DRY_RUN_RULES_MAX: usize = 32;

/// An order that was accepted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ordered {
    /// Ids of the injections, one for each victim.
    pub ids: Vec<ChaosId>,
    /// Who is struck.
    pub victims: Victims,
    /// The seed that everything was drawn from.
    pub seed: u64,
}

/// What would happen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DryRun {
    /// Who would be struck.
    pub victims: Victims,
    /// The seed that everything was drawn from.
    pub seed: u64,
    /// Whether somebody else would have to approve it.
    pub needs_approval: bool,
    /// Why the rules would forbid it, if so.
    pub forbidden: Option<String>,
    /// For each victim what would be done, or why it would be refused.
    pub rules: Vec<DryRunRule>,
}

/// What would be done to one victim.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DryRunRule {
    /// The id that its injection would have.
    pub id: ChaosId,
    /// What the injector would do, as it would stand in the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<Value>,
    /// Why it would refuse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl Lab {
    /// Orders injections: all victims of the request, or nothing.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn order(&self, caller: &Caller, request: &InjectRequest) -> Result<Ordered, Denied> {
        let result = self.shared.order(caller, request);
        if let Err(denied) = &result {
            self.audit_request(caller, "denied", request, &json!({"why": denied.to_string()}));
        }
        result
    }

    /// Tells what an order would do, and does nothing.
    ///
    /// # Errors
    /// [`Denied`], if the order means nothing or the caller may not even ask.
    pub fn dry_run(&self, caller: &Caller, request: &InjectRequest) -> Result<DryRun, Denied> {
        caller.require(Role::Viewer)?;
        let shared = &self.shared;
        let id = shared.new_id();
        let plan = shared.core().engine.plan(request, id, &caller.name)?;
        let now = shared.clock.now();
        let permitted = caller
            .require(Role::Operator)
            .and_then(|()| shared.policy.permits(&request.fault, now.as_millis() as u64));
        let asked = plan.submissions.iter().take(DRY_RUN_RULES_MAX);
        let rules = asked.map(|submission| shared.prepare_only(submission)).collect();
        let needs_approval = shared.is_production(&plan.victims.targets);
        let forbidden = permitted
            .map_err(Denied::from)
            .and_then(|()| shared.lever_is_released())
            .and_then(|()| abort::blind(&request.abort))
            .err()
            .map(|denied| denied.to_string());
        self.audit_request(caller, "dry_run", request, &json!({"victims": plan.victims.targets}));
        Ok(DryRun { victims: plan.victims, seed: plan.seed, needs_approval, forbidden, rules })
    }

    /// Takes an injection back.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn stop(&self, caller: &Caller, id: ChaosId, why: &str) -> Result<(), Denied> {
        caller.require(Role::Operator)?;
        let known = self.shared.step(|engine, now| {
            engine.injection(id)?;
            Some(engine.stop(now, id, why))
        });
        let alive = known.ok_or(Denied::Unknown)?;
        self.shared.audit(&caller.name, "revert", json!({"id": id, "alive": alive, "why": why}));
        Ok(())
    }

    /// Takes back everything that is alive; which those are.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn stop_all(&self, caller: &Caller, why: &str) -> Result<Vec<ChaosId>, Denied> {
        caller.require(Role::Operator)?;
        Ok(self.stop_everything(&caller.name, why))
    }

    pub(super) fn stop_everything(&self, actor: &str, why: &str) -> Vec<ChaosId> {
        let ids = self.shared.step(|engine, now| {
            let ids: Vec<ChaosId> = engine.live().map(|it| it.order.id).collect();
            engine.stop_all(now, why);
            ids
        });
        self.shared.audit(actor, "revert_all", json!({"live": ids.len(), "why": why}));
        ids
    }

    /// Engages the safety lever, which takes everything back and lets nothing new begin; or releases
    /// it. It holds over restarts.
    ///
    /// # Errors
    /// [`Denied`]; the inner error if the lever's file could not be changed: one that was to be engaged is
    /// so in this process alone, then.
    pub fn set_lever(
        &self,
        caller: &Caller,
        engaged: bool,
    ) -> Result<Result<(), LabError>, Denied> {
        caller.require(if engaged { Role::Operator } else { Role::Approver })?;
        let shared = &self.shared;
        // Under the lock, or the clock's thread would see the old file and undo it.
        let file = shared.set_lever(&mut shared.core(), engaged);
        shared.audit(&caller.name, "lever", json!({"engaged": engaged}));
        Ok(file.map_err(|source| LabError::Lever { path: shared.lever.clone(), source }))
    }

    /// Approves an order of somebody else, once, for a time.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn approve(
        &self,
        caller: &Caller,
        request: &InjectRequest,
        time: Duration,
    ) -> Result<Approval, Denied> {
        caller.require(Role::Approver)?;
        if time.is_zero() || time.as_millis() as u64 > APPROVAL_MS_MAX {
            return Err(Denied::ApprovalTime);
        }
        let expires = self.shared.clock.now() + time;
        let approval = Approval {
            id: self.shared.new_id(),
            by: caller.name.clone(),
            order_sha256: request.approval_sha256(),
            expires_unix_ms: expires.as_millis() as u64,
        };
        self.shared.core().approvals.add(approval.clone());
        self.audit_request(caller, "approve", request, &json!({"approval": approval}));
        Ok(approval)
    }

    fn audit_request(
        &self,
        caller: &Caller,
        action: &'static str,
        request: &InjectRequest,
        more: &Value,
    ) {
        // Whoever floods the lab must not flood its memory while the disk hangs.
        if !self.shared.waiting.is_full() {
            let detail = json!({"request": request, "result": more});
            self.shared.audit(&caller.name, action, detail);
        }
    }
}

impl Shared {
    pub(super) fn new_id(&self) -> ChaosId {
        ChaosId::new(self.clock.now(), &mut self.core().random)
    }

    fn order(&self, caller: &Caller, request: &InjectRequest) -> Result<Ordered, Denied> {
        caller.require(Role::Operator)?;
        let unix_ms = self.clock.now().as_millis() as u64;
        self.policy.permits(&request.fault, unix_ms)?;
        if self.waiting.is_full() {
            return Err(Denied::Disk);
        }
        let id = request.id.unwrap_or_else(|| self.new_id());
        // What is known already is not ordered anew; and metrics are not read under the lock.
        let is_new = self.core().engine.injection(id).is_none();
        if request.abort.len() > ABORT_MAX {
            return Err(RequestError::Abort.into());
        }
        if is_new {
            abort::blind(&request.abort)?;
        }
        let mut core = self.core();
        // Under the lock, so that whoever takes everything back sees either it or nothing of it.
        if self.ending.load(Ordering::Acquire) {
            return Err(Denied::Ending);
        }
        let Plan { victims, submissions, seed } = core.engine.plan(request, id, &caller.name)?;
        let production = self.is_production(&victims.targets);
        let ids: Vec<ChaosId> = submissions.iter().map(|submission| submission.id).collect();
        let all_known = ids.iter().all(|id| core.engine.injection(*id).is_some());
        if production && !all_known {
            let order = request.approval_sha256();
            core.approvals.check(request.approval, &caller.name, &order, unix_ms)?;
        }
        let detail = json!({"request": request, "ids": ids, "seed": seed});
        let accepted = core.engine.submit_all(self.clock.now(), submissions);
        if accepted.is_ok() {
            if let Some(id) = request.approval.filter(|_| production) {
                core.approvals.spend(id);
            }
            abort::begin(&mut core.watches, &ids, &request.abort);
            self.audit(&caller.name, "inject", detail);
        }
        self.obey(&mut core);
        accepted?;
        Ok(Ordered { ids, victims, seed })
    }

    fn lever_is_released(&self) -> Result<(), Denied> {
        if self.core().engine.lever() { Err(Rejection::LeverEngaged.into()) } else { Ok(()) }
    }

    fn is_production(&self, candidates: &[Candidate]) -> bool {
        candidates.iter().any(|candidate| self.policy.is_production(candidate))
    }

    /// `prepare` changes nothing, so it may be asked without the engine.
    fn prepare_only(&self, submission: &Submission) -> DryRunRule {
        let order = submission.order(self.clock.now());
        let deadline = Instant::now() + DRY_RUN_CALL;
        let around = Surroundings { deadline, unix: self.clock.now() };
        let id = submission.id;
        match self.registry.prepare(&order, around) {
            Ok(rules) => DryRunRule { id, rules: Some(rules), refused: None },
            Err(refusal) => DryRunRule { id, rules: None, refused: Some(refusal.to_string()) },
        }
    }
}
