//! Workflow and Schedule: several faults, after and beside each other.

use std::collections::HashMap;
use std::time::Duration;

use bulkhead_chaos::{TIME_TO_LIVE_DEFAULT, TIME_TO_LIVE_MAX};
use serde_json::json;

use super::field::Fields;
use super::{Import, Step, status_check};
use crate::document::Located;

/// Templates within each other at most.
const DEPTH_MAX: usize = 32;
/// Visits of templates at most: one that is named by several, each time, doubles with each level.
const VISITS_MAX: usize = 1_000;

/// The kinds that a template or a schedule may hold, and the fields that they stand in.
pub(super) const KINDS: [(&str, &str); 4] = [
    ("NetworkChaos", "networkChaos"),
    ("HTTPChaos", "httpChaos"),
    ("PodChaos", "podChaos"),
    ("StressChaos", "stressChaos"),
];

/// One round of it: when rounds are is up to whoever starts them.
pub(super) fn schedule(name: &str, mut spec: Fields<'_>, import: &mut Import) {
    let line = spec.line_of("schedule");
    if let Some(when) = spec.text("schedule") {
        let reason =
            format!("one round was imported: start `bulkhead chaos run` at `{when}` from cron");
        import.leave_out(line, "spec.schedule", reason);
    }
    let kind = spec.text("type").unwrap_or_default();
    match KINDS.iter().find(|(known, _)| *known == kind).map(|(_, field)| *field) {
        Some(field) => {
            if let Some(mut inner) = spec.map(field) {
                let lasting = import.lasting(&mut inner);
                let steps = import.faults(&kind, name, inner, lasting);
                import.apply(steps, true);
            }
        }
        None => {
            let reason = format!("there is no equivalent of the kind `{kind}`");
            import.leave_out(spec.line_of("type"), "spec.type", reason);
        }
    }
    spec.finish(import);
}

/// A template that was not visited yet.
struct Template<'l> {
    at: &'l Located,
    path: String,
}

pub(super) fn workflow(mut spec: Fields<'_>, import: &mut Import) {
    let entry = spec.text("entry").unwrap_or_default();
    let path = spec.path_of("templates");
    let templates: HashMap<String, Template<'_>> = spec
        .get("templates")
        .map_or(&[][..], Located::items)
        .iter()
        .enumerate()
        .filter_map(|(index, at)| {
            let name = at.get("name")?.text()?.to_owned();
            Some((name, Template { at, path: format!("{path}[{index}]") }))
        })
        .collect();
    let line = spec.line();
    let mut visit = Visit { templates, import, visits: 0 };
    visit.template(&entry, line, 0);
    spec.finish(import);
}

struct Visit<'v, 'l> {
    templates: HashMap<String, Template<'l>>,
    import: &'v mut Import,
    visits: usize,
}

impl<'l> Visit<'_, 'l> {
    fn template(&mut self, name: &str, line: usize, depth: usize) {
        self.visits += 1;
        if self.visits > VISITS_MAX {
            // What is beyond is told once.
            if self.visits == VISITS_MAX + 1 {
                let reason = format!("too many templates: the first {VISITS_MAX} are kept");
                self.import.leave_out(line, name, reason);
            }
            return;
        }
        let found = self.fields(name).filter(|_| depth < DEPTH_MAX);
        let Some(mut fields) = found else {
            self.import.leave_out(
                line,
                name,
                "there is no such template, or too many within each other",
            );
            return;
        };
        let kind = fields.text("templateType").unwrap_or_default();
        fields.skip(&["name"]);
        match kind.as_str() {
            "Serial" => {
                self.deadline_of_group(&mut fields);
                for child in children(&mut fields) {
                    self.template(&child, fields.line(), depth + 1);
                }
            }
            "Parallel" => self.parallel(&mut fields),
            "Suspend" => self.suspend(name, &mut fields),
            _ => {
                let steps = self.leaf(name, &kind, &mut fields);
                self.import.apply(steps, true);
            }
        }
        fields.finish(self.import);
    }

    fn fields(&self, name: &str) -> Option<Fields<'l>> {
        let template = self.templates.get(name)?;
        Some(Fields::new(template.at, &template.path))
    }

    /// Children at once. What comes after each other in one of them cannot go on beside the others.
    fn parallel(&mut self, fields: &mut Fields<'l>) {
        self.deadline_of_group(fields);
        let mut steps = Vec::new();
        for child in children(fields) {
            let Some(mut inner) = self.fields(&child) else {
                self.import.leave_out(fields.line(), child, "there is no such template");
                continue;
            };
            let kind = inner.text("templateType").unwrap_or_default();
            inner.skip(&["name"]);
            if matches!(kind.as_str(), "Serial" | "Parallel" | "Suspend" | "Task") {
                let reason =
                    format!("a `{kind}` beside others has no equivalent: make it a run of its own");
                self.import.leave_out(inner.line(), child, reason);
                continue;
            }
            steps.extend(self.leaf(&child, &kind, &mut inner));
            inner.finish(self.import);
        }
        self.import.apply(steps, true);
    }

    /// A fault, or a check of the status.
    fn leaf(&mut self, name: &str, kind: &str, fields: &mut Fields<'l>) -> Vec<Step> {
        if kind == "StatusCheck" {
            let aborts = fields.get("abortWithStatusCheck").is_some_and(Located::truthy);
            fields.skip(&["deadline"]);
            if let Some(spec) = fields.map("statusCheck") {
                status_check::take(name, spec, aborts, self.import);
            }
            return Vec::new();
        }
        let line = fields.line_of("deadline");
        let deadline = fields.duration("deadline");
        if deadline.is_some_and(|deadline| deadline > TIME_TO_LIVE_MAX) {
            let reason = "a fault lives for 15m at most: cut to that";
            self.import.leave_out(line, fields.path_of("deadline"), reason);
        }
        let lasting = deadline.unwrap_or(TIME_TO_LIVE_DEFAULT).min(TIME_TO_LIVE_MAX);
        let field = KINDS.iter().find(|(known, _)| *known == kind).map(|(_, field)| *field);
        match field.and_then(|field| fields.map(field)) {
            Some(mut spec) => {
                spec.skip(&["duration"]);
                self.import.faults(kind, name, spec, lasting)
            }
            None => {
                let reason = format!("there is no equivalent of the type `{kind}`");
                self.import.leave_out(fields.line(), fields.path_of("templateType"), reason);
                Vec::new()
            }
        }
    }

    fn suspend(&mut self, name: &str, fields: &mut Fields<'l>) {
        let pause = fields.duration("deadline").unwrap_or(Duration::ZERO);
        self.import.steps.push(json!({
            "type": "probe",
            "name": name,
            "provider": { "type": "process", "path": "true" },
            "pauses": { "after": pause.as_secs_f64() },
        }));
    }

    /// Of a group, a deadline would cut its children short.
    fn deadline_of_group(&mut self, fields: &mut Fields<'l>) {
        let line = fields.line_of("deadline");
        if fields.text("deadline").is_some() {
            let reason = "the deadline of a group is not kept: each of its faults has its own";
            self.import.leave_out(line, fields.path_of("deadline"), reason);
        }
    }
}

fn children(fields: &mut Fields<'_>) -> Vec<String> {
    let items = fields.get("children").map_or(&[][..], Located::items);
    items.iter().filter_map(|item| item.text().map(str::to_owned)).collect()
}
