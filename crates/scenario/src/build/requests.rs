//! `requests`: single ones and journeys.

use std::collections::HashMap;
use std::time::Duration;

use bulkhead_config::document::{Item, Span, TableValue, Value, nearest, quote_name, words};
use bulkhead_load::{Class, Protocol};

use super::{Builder, Known};
use crate::format::{METHODS, REQUESTS_MAX, STEPS_MAX};
use crate::plan::{Field, Journey, Plan, Step};
use crate::template::{Scope, Template};

/// Longest think time that is worth keeping: a run is no longer.
const THINK_MAX: Duration = Duration::from_secs(24 * 3_600);
/// Fields that follow from the connection or the body; another value would break the framing.
pub(crate) const OWN_FIELDS: [&str; 7] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

impl Builder<'_, '_> {
    pub(super) fn requests(&mut self, items: &[Item], known: &Known) -> Plan {
        let mut plan = Plan::default();
        if let Some(item) = items.get(REQUESTS_MAX) {
            self.report.error(item.span, format!("more than {REQUESTS_MAX} requests"));
        }
        let mut names: HashMap<String, usize> = HashMap::new();
        for item in items.iter().take(REQUESTS_MAX) {
            let Some(table) = item.table() else { continue };
            let weight = table.number("weight").unwrap_or(1);
            let built = match table.get("steps") {
                Some(_) => self.journey(table, known),
                None => self.single(item, table, known),
            };
            let Some((journey, mut classes)) = built else { continue };
            let at = table.get("name").unwrap_or(item);
            self.unique(at, table.get("name").is_none(), &mut classes, &mut names);
            plan.push(weight, journey, classes);
        }
        plan
    }

    /// Reports given names that stand twice; numbers those that were made up.
    fn unique(
        &mut self,
        item: &Item,
        made_up: bool,
        classes: &mut [Class],
        names: &mut HashMap<String, usize>,
    ) {
        for class in classes {
            let first = names.get(&class.name).copied();
            match first {
                None => {}
                Some(line) if !made_up => {
                    let name = quote_name(&class.name);
                    self.report
                        .error(item.span, format!("{name} stands twice; first in line {line}"))
                        .remedy("give each request a name of its own");
                }
                Some(_) => {
                    let numbered = (2..).map(|number| format!("{} #{number}", class.name));
                    let free = { numbered }.find(|name| !names.contains_key(name));
                    class.name = free.unwrap_or_default();
                }
            }
            names.insert(class.name.clone(), item.span.line);
        }
    }

    fn single(
        &mut self,
        item: &Item,
        table: &TableValue,
        known: &Known,
    ) -> Option<(Journey, Vec<Class>)> {
        let mut scope = Scope { broken: &known.broken, ..Scope::new(&known.pools, &known.tokens) };
        let (step, target) = self.step(item.span, table, None, known, &mut scope)?;
        let name = class_name(table);
        let journey = Journey { variables: scope.variables, extracted: 0, steps: vec![step] };
        Some((journey, vec![Class { name, target }]))
    }

    fn journey(&mut self, table: &TableValue, known: &Known) -> Option<(Journey, Vec<Class>)> {
        for key in ["headers", "body", "body_file", "body_hex", "message", "expect"] {
            let given = table.get(key).filter(|item| item.span.line != 0 && !is_default(item, key));
            if let Some(item) = given {
                self.report
                    .error(item.span, format!("`{key}` is of a request, not of a journey"))
                    .remedy("write it in each step that needs it");
            }
        }
        let items = table.list("steps");
        if let Some(item) = items.get(STEPS_MAX) {
            self.report.error(item.span, format!("more than {STEPS_MAX} steps"));
        }
        let name = table.string("name").unwrap_or_else(|| "journey".to_owned());
        let mut scope = Scope { broken: &known.broken, ..Scope::new(&known.pools, &known.tokens) };
        let extracts = items.iter().filter_map(Item::table).flat_map(|step| step.map("extract"));
        scope.later = extracts.map(|(name, _)| name.text().to_owned()).collect();
        let (mut built, mut classes) = (Vec::<Step>::new(), Vec::<Class>::new());
        for item in items.iter().take(STEPS_MAX) {
            let Some(step) = item.table() else { continue };
            if let Some(think) = step.duration("think") {
                match built.last_mut() {
                    Some(last) => last.think = last.think.saturating_add(think).min(THINK_MAX),
                    None => {
                        self.report
                            .error(item.span, "a journey begins with a request, not with `think`");
                    }
                }
                continue;
            }
            let outer = table.get("target");
            let Some((one, target)) = self.step(item.span, step, outer, known, &mut scope) else {
                continue;
            };
            let made_up = || class_name(step);
            let step_name = step.string("name").unwrap_or_else(made_up);
            let mut class = Class { name: format!("{name}/{step_name}"), target };
            if classes.iter().any(|other| other.name == class.name) {
                class.name = format!("{} #{}", class.name, built.len() + 1);
            }
            classes.push(class);
            built.push(one);
        }
        if built.is_empty() {
            // Either a step was wrong, or there was only time to think; both were reported.
            return None;
        }
        let journey =
            Journey { variables: scope.variables, extracted: scope.extracted, steps: built };
        Some((journey, classes))
    }

    /// A request, and the index of its target.
    fn step(
        &mut self,
        span: Span,
        table: &TableValue,
        outer_target: Option<&Item>,
        known: &Known,
        scope: &mut Scope<'_>,
    ) -> Option<(Step, usize)> {
        let (method, path) =
            METHODS.iter().find_map(|method| Some((*method, table.get(method)?)))?;
        let target = self.target_of(span, table.get("target").or(outer_target), known);
        let settings = known.targets.get(target.unwrap_or(0));
        let grpc = method == "grpc";
        if let Some(settings) =
            settings.filter(|one| grpc && one.endpoint.protocol == Protocol::Http1)
        {
            self.report
                .error(
                    path.span,
                    format!("gRPC needs HTTP/2, and `{}` speaks HTTP/1.1", settings.name),
                )
                .remedy("use h2c:// or h2:// in the URL of the target");
        }
        let base = settings.map_or("", |one| one.base.as_str());
        let path = self.path(path, base, scope);
        let authority = settings.map_or("", |one| one.endpoint.authority.as_str());
        let mut authority = Template::literal(authority);
        let mut fields = self.fields(table.map("headers"), &mut authority, scope);
        if grpc {
            fields.insert(0, Field::new("te", Template::literal("trailers")));
            if !fields.iter().any(|field| field.name == b"content-type") {
                fields.insert(0, Field::new("content-type", Template::literal("application/grpc")));
            }
        }
        let body = self.body(table, grpc, scope);
        let empty = TableValue::default();
        let expect = self.expectation(table.table("expect").unwrap_or(&empty), grpc, scope);
        let extract = self.extracts(table.map("extract"), scope);
        let step = Step {
            class: 0,
            method: if grpc { "POST".to_owned() } else { method.to_ascii_uppercase() },
            scheme: settings.map_or_else(Default::default, |one| one.endpoint.scheme()),
            authority,
            path: path?,
            fields,
            body,
            expect,
            extract,
            think: Duration::ZERO,
        };
        Some((step, target?))
    }

    /// The index of the target that is named, or of the only one.
    fn target_of(&mut self, span: Span, item: Option<&Item>, known: &Known) -> Option<usize> {
        let names = || known.targets.iter().map(|target| target.name.as_str());
        let Some(item) = item else {
            if known.targets.len() > 1 {
                self.report
                    .error(
                        Span { width: 1, ..span },
                        "this request does not say which target it is for",
                    )
                    .remedy(format!("add `target`: {}", words(names().map(str::to_owned))));
                return None;
            }
            return Some(0);
        };
        let name = item.text();
        let found = names().position(|known| known == name);
        if found.is_none() && !name.is_empty() {
            let error =
                self.report.error(item.span, format!("`targets` has no {}", quote_name(name)));
            error.suggestion = nearest(name, names()).map(str::to_owned);
            error.expected(words(names().map(str::to_owned)));
        }
        found
    }

    fn fields(
        &mut self,
        items: &[(Item, Item)],
        authority: &mut Template,
        scope: &mut Scope<'_>,
    ) -> Vec<Field> {
        let mut fields = Vec::new();
        for (name, value) in items {
            if OWN_FIELDS.contains(&name.text()) {
                self.report
                    .error(name.span, format!("load sets `{}` itself", name.text()))
                    .remedy("remove it");
                continue;
            }
            let Some(value) = self.field_value(value, scope) else { continue };
            match name.text() {
                "host" => *authority = value,
                name => fields.push(Field::new(name, value)),
            }
        }
        fields
    }
}

/// What a request without a name is counted under.
fn class_name(table: &TableValue) -> String {
    if let Some(name) = table.text("name") {
        return name.to_owned();
    }
    let given = METHODS.iter().find_map(|method| Some((*method, table.text(method)?)));
    given.map_or_else(String::new, |(method, path)| match method {
        "grpc" => path.to_owned(),
        method => format!("{} {path}", method.to_ascii_uppercase()),
    })
}

/// Whether a key of a request was filled in rather than given: mappings have an empty default.
fn is_default(item: &Item, key: &str) -> bool {
    match &item.value {
        Value::Map(entries) => key == "headers" && entries.is_empty(),
        Value::Table(table) => {
            let given = |key: &str| table.get(key).is_some();
            let maps = ["headers", "json"].iter().all(|key| table.map(key).is_empty());
            let others = ["status", "grpc_status", "body", "body_contains", "body_sha256"];
            maps && !others.into_iter().any(given)
        }
        _ => false,
    }
}
