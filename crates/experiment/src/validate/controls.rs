//! Controls: Python code around an experiment and its activities. They are checked, and not run.

use std::collections::HashSet;

use super::Validator;
use crate::document::Located;

impl Validator<'_, '_> {
    pub(super) fn controls(&mut self, root: &Located) {
        let hypothesis = root.get("steady-state-hypothesis");
        let parts =
            [hypothesis.and_then(|h| h.get("probes")), root.get("method"), root.get("rollbacks")];
        let activities = parts.into_iter().flatten().flat_map(Located::items);
        let controls: Vec<&Located> = [Some(root), hypothesis]
            .into_iter()
            .flatten()
            .chain(activities)
            .filter_map(|owner| owner.get("controls"))
            .flat_map(Located::items)
            .collect();
        let declared: HashSet<&str> = controls
            .iter()
            .filter(|control| control.get("ref").is_none())
            .filter_map(|control| control.get("name")?.text())
            .collect();
        for control in controls {
            self.control(control, &declared);
        }
    }

    fn control(&mut self, control: &Located, declared: &HashSet<&str>) {
        if let Some(reference) = control.get("ref")
            && !reference.text().is_some_and(|name| declared.contains(name))
        {
            self.report.error(reference.span, "no control of this name is declared");
        }
        if control.get("name").is_none() {
            self.report.error(control.span, "a control needs a name");
        }
        if let Some(scope) = control.get("scope").filter(|scope| scope.truthy())
            && !matches!(scope.text(), Some("before" | "after"))
        {
            self.report.error(scope.span, "the scope of a control is `before` or `after`");
        }
        let Some(provider) = control.get("provider") else {
            self.report.error(control.span, "a control needs a provider");
            return;
        };
        if provider.get("type").and_then(Located::text) == Some("python")
            && !provider.get("module").is_some_and(Located::truthy)
        {
            self.report.error(provider.span, "a control of Python needs a module");
        }
        self.report
            .warning(control.span, "controls are not run here")
            .remedy("run the experiment with `chaos run` if it cannot do without them");
    }
}
