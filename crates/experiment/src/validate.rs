//! Text → [`Experiment`]: what Chaos Toolkit's `ensure_experiment_is_valid` refuses is refused here too,
//! all of it at once and each with its place; so is what would only fail when it is run.

mod activity;
mod controls;
mod sources;
mod tolerance;

use bulkhead_config::document::{Report, Span, nearest};
use bulkhead_config::{Diagnostic, Diagnostics};
use serde_json::{Map, Value};

use crate::document::{Data, Located, Syntax, read};
use crate::extension;
use crate::model::{Experiment, HypothesisStrategy, RollbackStrategy, Step};

use activity::Named;

/// Activities of an experiment at most, of each part.
pub(crate) const STEPS_MAX: usize = 4_096;

const NEEDED: &str = "an experiment has at least `title`, `description` and `method`";

const KEYS: [&str; 13] = [
    "version",
    "title",
    "description",
    "tags",
    "configuration",
    "secrets",
    "steady-state-hypothesis",
    "method",
    "rollbacks",
    "controls",
    "extensions",
    "contributions",
    "runtime",
];

/// What an experiment is checked against beside its own text.
pub trait Environment {
    /// An environment variable.
    fn variable(&self, name: &str) -> Option<String>;
    /// Whether the name or path is that of a program that may be run.
    fn is_executable(&self, path: &str) -> bool;
}

/// Parses and checks an experiment. `file` is its name in diagnostics; the second value are warnings.
///
/// Limits: those of configurations (16 MiB, 200,000 values), 4,096 activities in each part.
///
/// # Errors
/// Everything found wrong, in the order of the file, up to 100.
pub fn parse(
    text: &str,
    file: &str,
    syntax: Syntax,
    environment: &dyn Environment,
) -> Result<(Experiment, Vec<Diagnostic>), Diagnostics> {
    read(text, file, syntax, NEEDED, |root, report| {
        Validator { report, environment }.experiment(root)
    })
}

struct Validator<'v, 'r> {
    report: &'v mut Report<'r>,
    environment: &'v dyn Environment,
}

impl Validator<'_, '_> {
    fn experiment(&mut self, root: &Located) -> Experiment {
        if !root.is_map() {
            self.report.error(root.span, "an experiment is a mapping").remedy(NEEDED);
        }
        self.hint(root, &KEYS);
        let title = self.needed_text(root, "title", "an experiment needs a title");
        self.needed_text(root, "description", "an experiment needs a description");
        self.tags(root.get("tags"));
        self.extensions(root.get("extensions"));
        let configuration = self.mapping(root, "configuration");
        let secrets = self.mapping(root, "secrets");
        self.sources(root);
        let named = Named::of(root);
        let probes = self.hypothesis(root.get("steady-state-hypothesis"), &named);
        if root.get("method").is_none_or(Located::is_null) {
            self.report
                .error(root.span, "an experiment needs a method")
                .remedy("to look at the hypothesis only, write `method: []`");
        }
        let method = self.steps(root.get("method"), &named);
        let rollbacks = self.steps(root.get("rollbacks"), &named);
        self.controls(root);
        let names: Vec<&str> = probes.iter().map(|step| step.activity.name.as_str()).collect();
        let extension = extension::read(root.get("extensions"), &names, &method, self.report);
        let (hypothesis_strategy, rollback_strategy) = self.runtime(root.get("runtime"));
        Experiment {
            title,
            extension,
            hypothesis_strategy,
            rollback_strategy,
            configuration,
            secrets,
            probes,
            method,
            rollbacks,
            raw: root.to_value(),
        }
    }

    /// A text that has to be there. Anything that Python takes for true is taken as text.
    fn needed_text(&mut self, item: &Located, key: &str, message: &str) -> String {
        match item.get(key) {
            Some(value) if value.truthy() => crate::python::text(&value.to_value()),
            found => {
                let span = found.map_or(item.span, |found| found.span);
                self.report
                    .error(span, message)
                    .remedy(format!("add `{key}` with a text that is not empty"));
                String::new()
            }
        }
    }

    fn mapping(&mut self, root: &Located, key: &str) -> Map<String, Value> {
        match root.get(key).map(|item| (item.span, item.to_value())) {
            Some((_, Value::Object(members))) => members,
            Some((span, _)) => {
                self.report.error(span, format!("`{key}` is a mapping of names to values"));
                Map::new()
            }
            None => Map::new(),
        }
    }

    fn tags(&mut self, tags: Option<&Located>) {
        let Some(tags) = tags.filter(|tags| tags.truthy()) else { return };
        if !matches!(tags.data, Data::List(_)) {
            self.report.error(tags.span, "tags are a list of texts");
        }
        for tag in tags.items() {
            if tag.text().is_none_or(str::is_empty) {
                self.report.error(tag.span, "a tag is a text that is not empty");
            }
        }
    }

    fn extensions(&mut self, extensions: Option<&Located>) {
        for item in extensions.into_iter().flat_map(Located::items) {
            if item.get("name").and_then(Located::text).is_none_or(|name| name.trim().is_empty()) {
                self.report
                    .error(item.span, "an extension needs a name")
                    .remedy("add `name`, such as `name: bulkhead`");
            }
        }
    }

    fn hypothesis(&mut self, hypothesis: Option<&Located>, named: &Named<'_>) -> Vec<Step> {
        let Some(hypothesis) = hypothesis.filter(|item| !item.is_null()) else {
            return Vec::new();
        };
        self.hint(hypothesis, &["title", "probes", "controls"]);
        self.needed_text(hypothesis, "title", "a hypothesis needs a title");
        let Some(probes) = hypothesis.get("probes").filter(|probes| probes.truthy()) else {
            return Vec::new();
        };
        let steps = self.steps(Some(probes), named);
        for probe in probes.items() {
            match probe.get("tolerance") {
                Some(tolerance) => self.tolerance(tolerance),
                None => {
                    self.report
                        .error(probe.span, "a probe of the hypothesis needs a tolerance")
                        .remedy("add `tolerance`, such as `tolerance: 200`");
                }
            }
        }
        steps
    }

    fn steps(&mut self, list: Option<&Located>, named: &Named<'_>) -> Vec<Step> {
        let Some(list) = list.filter(|list| list.truthy()) else { return Vec::new() };
        if !matches!(list.data, Data::List(_)) || list.items().len() > STEPS_MAX {
            self.report.error(
                list.span,
                format!("a list of up to {STEPS_MAX} activities is expected here"),
            );
            return Vec::new();
        }
        list.items().iter().filter_map(|item| self.step(item, named)).collect()
    }

    fn runtime(
        &mut self,
        runtime: Option<&Located>,
    ) -> (Option<HypothesisStrategy>, Option<RollbackStrategy>) {
        let strategy = |part: &str| runtime?.get(part)?.get("strategy");
        let hypothesis = strategy("hypothesis").map(|item| (item.span, item.text()));
        let rollbacks = strategy("rollbacks").map(|item| (item.span, item.text()));
        (
            self.choice(hypothesis, HypothesisStrategy::parse, &HypothesisStrategy::NAMES),
            self.choice(rollbacks, RollbackStrategy::parse, &RollbackStrategy::NAMES),
        )
    }

    fn choice<T>(
        &mut self,
        given: Option<(Span, Option<&str>)>,
        parse: impl FnOnce(&str) -> Option<T>,
        names: &'static [&'static str],
    ) -> Option<T> {
        let (span, text) = given?;
        let text = text.unwrap_or_default();
        let parsed = parse(text);
        if parsed.is_none() {
            let error = self.report.error(span, "there is no such strategy");
            error.expected = Some(names.join(", "));
            error.suggestion = nearest(text, names.iter().copied()).map(str::to_owned);
        }
        parsed
    }

    /// Warns of keys that mean nothing and look like one that does.
    fn hint(&mut self, item: &Located, known: &[&str]) {
        for member in item.members() {
            if known.contains(&member.name.as_str()) {
                continue;
            }
            if let Some(near) = nearest(&member.name, known.iter().copied()) {
                let message = format!("the key `{}` means nothing here", member.name);
                self.report.warning(member.span, message).suggestion = Some(near.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests;
