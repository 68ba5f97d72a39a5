//! Configuration and secrets: where their values come from.

use super::Validator;
use crate::document::Located;

impl Validator<'_, '_> {
    /// Checks that values can be had: a value that is not there is told before anything is broken.
    pub(super) fn sources(&mut self, root: &Located) {
        for member in root.get("configuration").into_iter().flat_map(Located::members) {
            let value = &member.value;
            match value.get("type").and_then(Located::text) {
                Some("env") => self.variable(value, value.get("default").is_some()),
                Some("probe") => {
                    self.activity(value, false);
                }
                _ => {}
            }
        }
        for group in root.get("secrets").into_iter().flat_map(Located::members) {
            if !group.value.is_map() {
                self.report
                    .error(group.value.span, "secrets stand in groups")
                    .remedy("write `secrets: {group: {name: value}}`");
            }
            self.secret(&group.value);
        }
    }

    fn secret(&mut self, value: &Located) {
        match value.get("type").and_then(Located::text) {
            Some("env") => self.variable(value, false),
            Some("vault") => {
                self.report
                    .error(value.span, "secrets are not fetched from Vault here")
                    .remedy("put the secret into an environment variable: `type: env`");
            }
            _ => {
                for member in value.members() {
                    if member.value.is_map() {
                        self.secret(&member.value);
                    }
                }
            }
        }
    }

    fn variable(&mut self, value: &Located, has_default: bool) {
        let Some(name) = value.get("key").and_then(Located::text) else {
            self.report
                .error(value.span, "the environment variable is not named")
                .remedy("add `key` with its name");
            return;
        };
        if !has_default && self.environment.variable(name).is_none() {
            self.report
                .error(value.span, format!("the environment variable `{name}` is not set"))
                .remedy("set it, or add a `default`");
        }
        if let Some(kind) = value.get("env_var_type") {
            const KINDS: [&str; 8] =
                ["str", "string", "int", "integer", "float", "number", "bool", "json"];
            if !kind.text().is_some_and(|kind| KINDS.contains(&kind) || kind == "bytes") {
                self.report.error(kind.span, "there is no such type").expected =
                    Some("str, int, float, bytes, bool or json".to_owned());
            }
        }
    }
}
