//! Whom an order strikes, as things stand.

use super::Engine;
use crate::{ChaosId, InjectRequest, Plan, RequestError, Target};

impl Engine {
    /// Draws the victims of a request; `id` is for one that has none. A blast radius spares what is struck
    /// already: its survivors are those that nothing strikes. An order that is known is planned as it was
    /// then, whatever is struck by now.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn plan(
        &self,
        request: &InjectRequest,
        id: ChaosId,
        actor: &str,
    ) -> Result<Plan, RequestError> {
        let first = request.id.unwrap_or(id);
        let known: Vec<Target> = (0..)
            .map_while(|index| self.injection(first.part(index)))
            .map(|injection| injection.order.target.clone())
            .collect();
        if let Some(plan) = request.plan_again(first, actor, &known) {
            return Ok(plan);
        }
        let is_struck = |target: &Target| self.live().any(|it| it.order.target.is_at(target));
        request.plan(id, actor, is_struck)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use crate::{ChaosId, Engine, EngineOptions, InjectRequest, Random};

    const NOW: Duration = Duration::from_secs(1_795_000_000);

    fn id(number: u64) -> ChaosId {
        ChaosId::new(NOW, &mut Random::new(number))
    }

    /// Two of four processes, of which one must survive.
    fn request(id: ChaosId) -> InjectRequest {
        let target =
            |pid| serde_json::json!({"target": {"process": {"pid": pid, "start_time": 1}}});
        let targets: Vec<_> = (1..=4).map(target).collect();
        let request = serde_json::json!({
            "id": id, "fault": {"process": "stop"}, "targets": targets,
            "blast_radius": {"count": 2, "min_survivors": 1},
        });
        serde_json::from_value(request).unwrap()
    }

    #[test]
    fn orders_after_each_other_leave_survivors_too() {
        let mut engine = Engine::new(EngineOptions::default(), 1).unwrap();
        let mut struck = HashSet::new();
        for (number, count) in [(1, 2), (2, 1)] {
            let plan = engine.plan(&request(id(number)), id(9), "ann").unwrap();
            assert_eq!(plan.submissions.len(), count);
            struck.extend(plan.submissions.iter().map(|it| format!("{:?}", it.target)));
            engine.submit_all(NOW, plan.submissions).unwrap();
            assert_eq!(engine.live().count(), struck.len(), "nobody twice");
        }
        assert_eq!(struck.len(), 3);
        assert!(engine.plan(&request(id(3)), id(9), "ann").is_err(), "the last one must survive");
        // The first order again is the first order.
        let again = engine.plan(&request(id(1)), id(9), "ann").unwrap();
        assert_eq!(again.submissions.len(), 2);
        engine.submit_all(NOW, again.submissions).unwrap();
        assert_eq!(engine.live().count(), 3);
        // Another one of its name is not.
        let mut other = request(id(1));
        other.targets.truncate(2);
        other.blast_radius.as_mut().unwrap().min_survivors = 0;
        let plan = engine.plan(&other, id(9), "ann");
        assert!(plan.is_err() || engine.submit_all(NOW, plan.unwrap().submissions).is_err());
    }
}
