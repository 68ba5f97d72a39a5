//! Chaos Mesh's objects as an experiment of Chaos Toolkit, and what of them has no equivalent.
//!
//! There are no pods here: where an object selects some, the experiment has a variable for the gateway,
//! link or process that is meant instead. Every field is either imported or told, with its line.

mod field;
mod http;
mod network;
mod process;
mod status_check;
mod workflow;

use std::time::Duration;

use bulkhead_chaos::{TIME_TO_LIVE_DEFAULT, TIME_TO_LIVE_MAX};
use bulkhead_config::Diagnostics;
use bulkhead_config::document::Report;
use serde_json::{Map, Value, json};

use crate::document::{Located, Syntax, read};

use field::Fields;

/// Documents of a file at most.
const DOCUMENTS_MAX: usize = 256;

/// What an import brought.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The experiment, to be written as JSON.
    pub experiment: Value,
    /// What has no equivalent, in the order of the file.
    pub left_out: Vec<LeftOut>,
}

/// Something that has no equivalent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// Line in the file, from 1.
    pub line: usize,
    /// Where in its document, such as `spec.loss.correlation`.
    pub path: String,
    /// Why, and what to do instead.
    pub reason: String,
}

/// Reads the objects of a file, which may have several documents. `file` is its name in diagnostics.
///
/// # Errors
/// What is wrong with its syntax, or that nothing in it can be imported.
pub fn import(text: &str, file: &str) -> Result<Imported, Diagnostics> {
    let needed = "a file of Chaos Mesh has objects with `kind` and `spec`";
    let mut import = Import::default();
    for document in documents(text) {
        read(&document, file, Syntax::Yaml, needed, |root, _| import.object(root))?;
    }
    if import.steps.is_empty() {
        // Said with a place, as everything that is wrong with a file.
        let nothing = |root: &Located, report: &mut Report<'_>| {
            report.error(root.span, "nothing in this file has an equivalent").remedy(needed);
        };
        let first = documents(text).into_iter().next().unwrap_or_default();
        read(&first, file, Syntax::Yaml, needed, nothing)?;
    }
    Ok(import.finish(file))
}

/// The documents, each at the lines where it stands in the file.
fn documents(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for (number, line) in text.lines().enumerate() {
        if line.trim_end() == "---" || line.starts_with("--- ") {
            documents.push("\n".repeat(number));
        }
        let Some(last) = documents.last_mut() else { continue };
        last.push_str(if line.starts_with("---") { "" } else { line });
        last.push('\n');
    }
    documents.retain(|text| {
        text.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    });
    documents.truncate(DOCUMENTS_MAX);
    documents
}

/// What was taken in so far.
#[derive(Debug, Default)]
struct Import {
    steps: Vec<Value>,
    probes: Vec<Value>,
    abort: Vec<Value>,
    configuration: Map<String, Value>,
    left_out: Vec<LeftOut>,
}

/// A fault with its target and how long it lasts.
#[derive(Clone, Debug)]
struct Step {
    name: String,
    fault: Value,
    target: Target,
    lasting: Duration,
}

/// Which variable stands for what an object selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Gateway,
    Link,
    Process,
}

/// Why such an object is left out.
fn unknown(kind: &str) -> String {
    format!("there is no equivalent of the kind `{kind}`")
}

impl Import {
    fn leave_out(&mut self, line: usize, path: impl Into<String>, reason: impl Into<String>) {
        self.left_out.push(LeftOut { line, path: path.into(), reason: reason.into() });
    }

    /// One document.
    fn object(&mut self, root: &Located) {
        let mut top = Fields::new(root, "");
        let kind = top.text("kind").unwrap_or_default();
        top.skip(&["apiVersion"]);
        let name = top.map("metadata").and_then(|mut metadata| {
            metadata.skip(&["namespace", "labels"]);
            let name = metadata.text("name");
            metadata.finish(self);
            name
        });
        let name = name.unwrap_or_else(|| kind.clone());
        let Some(mut spec) = top.map("spec") else {
            self.leave_out(root.span.line, "spec", "an object without it says nothing");
            return;
        };
        match kind.as_str() {
            "Workflow" => workflow::workflow(spec, self),
            "Schedule" => workflow::schedule(&name, spec, self),
            "StatusCheck" => status_check::take(&name, spec, false, self),
            _ if workflow::KINDS.iter().any(|(known, _)| *known == kind) => {
                let lasting = self.lasting(&mut spec);
                let steps = self.faults(&kind, &name, spec, lasting);
                self.apply(steps, true);
            }
            _ => self.leave_out(root.span.line, "kind", unknown(&kind)),
        }
        top.finish(self);
    }

    /// The faults of an object of this kind.
    fn faults(&mut self, kind: &str, name: &str, spec: Fields<'_>, lasting: Duration) -> Vec<Step> {
        let (target, faults) = match kind {
            "NetworkChaos" => (Target::Link, network::faults(spec, self)),
            "HTTPChaos" => (Target::Gateway, http::faults(spec, self)),
            "PodChaos" => (Target::Process, process::pod(spec, self)),
            "StressChaos" => (Target::Process, process::stress(spec, self)),
            _ => {
                self.leave_out(spec.line(), "kind", unknown(kind));
                return Vec::new();
            }
        };
        let several = faults.len() > 1;
        let step = |(number, fault): (usize, Value)| Step {
            name: if several { format!("{name} {}", number + 1) } else { name.to_owned() },
            fault,
            target,
            lasting,
        };
        faults.into_iter().enumerate().map(step).collect()
    }

    /// `duration`, in the bounds of a fault's life.
    fn lasting(&mut self, spec: &mut Fields<'_>) -> Duration {
        let line = spec.line_of("duration");
        match spec.duration("duration") {
            Some(duration) if duration <= TIME_TO_LIVE_MAX => duration,
            Some(_) => {
                self.leave_out(line, "spec.duration", "a fault lives for 15m at most: cut to that");
                TIME_TO_LIVE_MAX
            }
            None => {
                let reason =
                    "without it the fault would stay until the object is deleted: 60s are taken";
                self.leave_out(line, "spec.duration", reason);
                TIME_TO_LIVE_DEFAULT
            }
        }
    }

    /// Puts faults into the method, all at once; then it waits until the longest is over.
    fn apply(&mut self, steps: Vec<Step>, wait: bool) {
        let longest = steps.iter().map(|step| step.lasting).max().unwrap_or_default();
        let last = steps.len().saturating_sub(1);
        for (number, step) in steps.into_iter().enumerate() {
            let target = self.target(step.target);
            let mut activity = json!({
                "type": "action",
                "name": step.name,
                "provider": {
                    "type": "python",
                    "module": "chaosbulkhead.actions",
                    "func": "inject",
                    "arguments": {
                        "fault": step.fault,
                        "target": target,
                        "ttl": format!("{}ms", step.lasting.as_millis()),
                    },
                },
            });
            if wait && number == last {
                activity["pauses"] = json!({ "after": longest.as_secs_f64() });
            }
            self.steps.push(activity);
        }
    }

    fn target(&mut self, target: Target) -> Value {
        let mut variable = |name: &str, value: Value| {
            self.configuration.entry(name).or_insert(value);
            format!("${{{name}}}")
        };
        match target {
            Target::Gateway => {
                json!({ "gateway": { "admin": variable("gateway_admin", json!("127.0.0.1:9901")) } })
            }
            Target::Link => json!({ "link": { "name": variable("link", json!("client")) } }),
            Target::Process => {
                let number =
                    |key: &str| json!({ "type": "env", "key": key, "env_var_type": "int" });
                json!({ "process": { "pid": variable("pid", number("TARGET_PID")) } })
            }
        }
    }

    fn finish(mut self, file: &str) -> Imported {
        self.left_out.sort();
        let mut extension = json!({ "name": "bulkhead" });
        if !self.abort.is_empty() {
            extension["abort"] = json!(self.abort);
        }
        let mut experiment = json!({
            "title": format!("Imported from {file}"),
            "description": "Objects of Chaos Mesh. Targets are variables of the configuration.",
            "configuration": self.configuration,
            "method": self.steps,
            "rollbacks": [{
                "type": "action",
                "name": "take everything back",
                "provider": { "type": "python", "module": "chaosbulkhead.actions", "func": "revert_all" },
            }],
            "runtime": { "rollbacks": { "strategy": "always" } },
            "extensions": [extension],
        });
        if !self.probes.is_empty() {
            experiment["steady-state-hypothesis"] =
                json!({ "title": "All checks of the status succeed", "probes": self.probes });
        }
        Imported { experiment, left_out: self.left_out }
    }
}

#[cfg(test)]
mod tests;
