//! Orders whose processes are named by something else than number and start time: who is meant is found
//! out once, when they are ordered.

use bulkhead_chaos::{Caller, ChaosId, InjectRequest, NamedTarget, Role, Target};
use serde_json::json;

use super::Lab;
use crate::Denied;
use crate::process::find;

impl Lab {
    /// The order with its targets found. What was found stands in the audit log.
    ///
    /// # Errors
    /// [`Denied::Target`].
    pub fn resolve(
        &self,
        caller: &Caller,
        request: &InjectRequest<NamedTarget>,
    ) -> Result<InjectRequest, Denied> {
        let resolved: Result<_, Denied> = request.try_map(|target| {
            target.exact().or_else(|name| {
                // Whoever may only look learns nothing of files and processes.
                caller.require(Role::Operator)?;
                let found = match self.ordered(request.id, name.pid) {
                    Some(known) => known,
                    None => find(name).map_err(Denied::Target)?,
                };
                let detail = json!({"named": name, "target": found});
                if !self.shared.waiting.is_full() {
                    self.shared.audit(&caller.name, "found", detail);
                }
                Ok(found)
            })
        });
        if let Err(denied) = &resolved
            && !self.shared.waiting.is_full()
        {
            let detail = json!({"request": request, "result": {"why": denied.to_string()}});
            self.shared.audit(&caller.name, "denied", detail);
        }
        resolved
    }

    /// An order that is repeated means the process that it meant, also if that is gone by now.
    fn ordered(&self, id: Option<ChaosId>, pid: Option<u32>) -> Option<Target> {
        let core = self.shared.core();
        let target = &core.engine.injection(id?)?.order.target;
        let Target::Process { pid: known, .. } = target else { return None };
        pid.is_none_or(|pid| pid == *known).then(|| target.clone())
    }
}
