//! Probes and actions.

use std::collections::HashMap;

use bulkhead_config::document::quote_name;
use serde_json::{Value, json};

use super::Validator;
use crate::document::{Data, Located};
use crate::model::{Activity, Dry, Step};
use crate::native;

const KEYS: [&str; 11] = [
    "type",
    "name",
    "provider",
    "background",
    "pauses",
    "controls",
    "configuration",
    "tolerance",
    "ref",
    "dry",
    "timeout",
];

/// Activities that others may refer to. Of those with the same name, the last counts.
pub(super) struct Named<'l>(HashMap<&'l str, &'l Located>);

impl<'l> Named<'l> {
    pub(super) fn of(root: &'l Located) -> Self {
        let probes = root.get("steady-state-hypothesis").and_then(|item| item.get("probes"));
        let parts = [root.get("method"), probes];
        let activities = parts.into_iter().flatten().flat_map(Located::items);
        Self(activities.filter_map(|item| Some((item.get("name")?.text()?, item))).collect())
    }
}

impl Validator<'_, '_> {
    pub(super) fn step(&mut self, item: &Located, named: &Named<'_>) -> Option<Step> {
        let activity = match item.get("ref").filter(|reference| !reference.is_null()) {
            Some(reference) => {
                let name = reference.text().unwrap_or_default();
                let Some(referred) = named.0.get(name) else {
                    self.report
                        .error(reference.span, format!("there is no activity {}", quote_name(name)))
                        .remedy("refer to the name of an activity of the method or the hypothesis");
                    return None;
                };
                self.activity(referred, true)?
            }
            None => self.activity(item, true)?,
        };
        let background = item.get("background").is_some_and(Located::truthy);
        Some(Step { activity, background, tolerance: item.get("tolerance").map(Located::to_value) })
    }

    /// An activity itself, not a reference to one. A probe of the configuration is not hinted at.
    pub(super) fn activity(&mut self, item: &Located, hint: bool) -> Option<Activity> {
        if !item.is_map() || !item.truthy() {
            self.report.error(item.span, "an activity is a mapping").expected =
                Some("`type`, `name` and `provider`".to_owned());
            return None;
        }
        if hint {
            self.hint(item, &KEYS);
        }
        let kind = item.get("type").and_then(Located::text);
        if !matches!(kind, Some("probe" | "action")) {
            let span = item.get("type").map_or(item.span, |kind| kind.span);
            self.report.error(span, "an activity is of the type `probe` or `action`");
        }
        let name = self.needed_text(item, "name", "an activity needs a name");
        self.pauses(item.get("pauses"));
        self.flags(item);
        let provider = item.get("provider").filter(|provider| provider.truthy());
        let Some(provider) = provider else {
            self.report
                .error(item.span, "an activity needs a provider")
                .remedy("for instance `provider: {type: http, url: \"http://127.0.0.1:8080\"}`");
            return None;
        };
        self.provider(provider, &name);
        Some(Activity {
            is_action: kind == Some("action"),
            name,
            provider: provider.to_value(),
            pauses: item.get("pauses").map_or_else(|| json!({}), Located::to_value),
            dry: item.get("dry").and_then(Located::text).and_then(Dry::parse),
            raw: item.to_value(),
        })
    }

    fn pauses(&mut self, pauses: Option<&Located>) {
        for pause in ["before", "after"].into_iter().filter_map(|key| pauses?.get(key)) {
            let fits = match &pause.data {
                Data::Scalar(Value::String(text)) => text.starts_with("${") && text.ends_with('}'),
                Data::Scalar(Value::Number(number)) => {
                    number.as_f64().is_some_and(|seconds| (0.0..=86_400.0).contains(&seconds))
                }
                Data::Scalar(_) => true,
                _ => false,
            };
            if !fits {
                self.report
                    .error(pause.span, "a pause is a number of seconds, up to a day")
                    .remedy("write a number, or `${name}` for one of the configuration");
            }
        }
    }

    fn flags(&mut self, item: &Located) {
        let truth = |item: &Located| matches!(item.data, Data::Scalar(Value::Bool(_)));
        if let Some(background) = item.get("background").filter(|item| !truth(item)) {
            self.report.error(background.span, "`background` is `true` or `false`");
        }
        let number =
            |item: &Located| matches!(item.data, Data::Scalar(Value::Number(_) | Value::Bool(_)));
        if let Some(timeout) = item.get("timeout").filter(|item| !item.is_null() && !number(item)) {
            self.report.error(timeout.span, "the timeout of an activity is a number");
        }
        if let Some(dry) = item.get("dry")
            && dry.text().and_then(Dry::parse).is_none()
        {
            self.report.error(dry.span, "`dry` is `probes`, `actions`, `activities` or `pause`");
        }
    }

    fn provider(&mut self, provider: &Located, name: &str) {
        match provider.get("type").and_then(Located::text) {
            Some("http") => self.http(provider),
            Some("process") => self.process(provider, name),
            Some("python") => self.python(provider),
            _ => {
                let span = provider.get("type").map_or(provider.span, |kind| kind.span);
                self.report.error(span, "there is no such type of provider").expected =
                    Some("`http`, `process` or `python`".to_owned());
            }
        }
    }

    fn http(&mut self, provider: &Located) {
        const KEYS: [&str; 9] = [
            "type",
            "url",
            "method",
            "headers",
            "arguments",
            "timeout",
            "expected_status",
            "verify_tls",
            "max_retries",
        ];
        self.hint(provider, &KEYS);
        self.needed_text(provider, "url", "a provider of the type `http` needs a URL");
        if let Some(headers) =
            provider.get("headers").filter(|item| item.truthy() && !item.is_map())
        {
            self.report.error(headers.span, "headers are a mapping of names to values");
        }
    }

    fn process(&mut self, provider: &Located, name: &str) {
        self.hint(provider, &["type", "path", "arguments", "timeout"]);
        let path =
            self.needed_text(provider, "path", "a provider of the type `process` needs a path");
        if let Some(item) = provider.get("path").filter(|_| !path.is_empty())
            && !self.environment.is_executable(&path)
        {
            let message = format!(
                "{} of the activity {} is no program that may be run",
                quote_name(&path),
                quote_name(name)
            );
            self.report
                .error(item.span, message)
                .remedy("check the path, and whether it is executable");
        }
        if let Some(arguments) = provider.get("arguments").filter(|item| item.is_map()) {
            self.report
                .warning(arguments.span, "a mapping of arguments has no order of its own")
                .remedy("write a list; a mapping is passed in the order of its names");
        }
    }

    fn python(&mut self, provider: &Located) {
        let text = |key: &str| provider.get(key).and_then(Located::text).filter(|t| !t.is_empty());
        let (module, function) = (text("module"), text("func"));
        if module.is_none() {
            self.report.error(provider.span, "a provider of the type `python` needs a module");
        }
        if function.is_none() {
            self.report.error(provider.span, "a provider of the type `python` needs a `func`");
        }
        if let (Some(module), Some(function)) = (module, function) {
            native::check(provider, module, function, self.report);
        }
    }
}
