//! Links that a lab holds for its clients.

use bulkhead_chaos::{Caller, ChaosId, Role, Target};
use serde_json::json;

use super::Lab;
use crate::network::HeldLinks;
use crate::{Denied, HeldLink, LinkRequest, MakeLinkError};

impl Lab {
    /// The links that it holds; `None` if it was made without.
    pub fn links(&self) -> Option<&HeldLinks> {
        self.shared.registry.links()
    }

    /// Makes a link, and says whether it is a new one.
    ///
    /// # Errors
    /// [`Denied`]; the inner error if it could not be made.
    pub fn make_link(
        &self,
        caller: &Caller,
        name: &str,
        request: &LinkRequest,
    ) -> Result<Result<(HeldLink, bool), MakeLinkError>, Denied> {
        caller.require(Role::Operator)?;
        let links = self.links().ok_or(Denied::NoLinks)?;
        let made = links.make(name, request);
        let result = match &made {
            Ok((link, _)) => json!(link),
            Err(error) => json!({"error": error.to_string()}),
        };
        let detail = json!({"link": name, "request": request, "result": result});
        self.shared.audit(&caller.name, "make_link", detail);
        Ok(made)
    }

    /// Removes a link, with whatever is still in force on it, and says whether there was one. See
    /// [`Lab::stop_on_link`] for taking back first what can be.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn remove_link(&self, caller: &Caller, name: &str) -> Result<bool, Denied> {
        caller.require(Role::Operator)?;
        let removed = self.links().ok_or(Denied::NoLinks)?.remove(name);
        self.shared.audit(&caller.name, "remove_link", json!({"link": name, "removed": removed}));
        Ok(removed)
    }

    /// Begins to take back what is injected on a link; what that is.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn stop_on_link(&self, caller: &Caller, name: &str) -> Result<Vec<ChaosId>, Denied> {
        caller.require(Role::Operator)?;
        let target = Target::Link { name: name.to_owned() };
        let why = format!("{} removes the link", caller.name);
        Ok(self.shared.step(|engine, now| {
            let on_it = engine.live().filter(|it| it.order.target == target);
            let ids: Vec<ChaosId> = on_it.map(|it| it.order.id).collect();
            for id in &ids {
                engine.stop(now, *id, &why);
            }
            ids
        }))
    }
}
