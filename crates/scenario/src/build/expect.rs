//! `expect` and `extract`.

use bulkhead_config::document::{Item, TableValue, Value, quote};

use super::texts::from_hex;
use super::{Builder, within};
use crate::expectation::Expectation;
use crate::extract::{Extract, From};
use crate::json_path::JsonPath;
use crate::template::{Scope, Template};

impl Builder<'_, '_> {
    pub(super) fn expectation(
        &mut self,
        table: &TableValue,
        grpc: bool,
        scope: &mut Scope<'_>,
    ) -> Expectation {
        let mut expect = Expectation::default();
        if let Some(item) = table.get("status") {
            let status = |item: &Item| (item.number(), item.number());
            expect.statuses = match &item.value {
                Value::List(items) => items.iter().map(status).collect(),
                _ => vec![status(item)],
            };
        }
        expect.grpc_status = table.number("grpc_status").or_else(|| grpc.then_some(0));
        if let Some(item) = table.get("grpc_status").filter(|_| !grpc) {
            self.report
                .error(item.span, "`grpc_status` is of gRPC calls only")
                .remedy("write the path as `grpc: /package.Service/Method`");
        }
        for (name, value) in table.map("headers") {
            if let Some(value) = self.template(value, scope) {
                expect.fields.push((name.text().to_owned(), value));
            }
        }
        for (path, value) in table.map("json") {
            let path = self.json_path(path);
            if let (Some(path), Some(value)) = (path, self.template(value, scope)) {
                expect.json.push((path, value));
            }
        }
        expect.body = table.get("body").and_then(|item| self.template(item, scope));
        if let Some(item) = table.get("body_contains") {
            expect.body_contains = self.texts(item, scope);
        }
        expect.body_sha256 = table.get("body_sha256").and_then(|item| self.digest(item));
        expect
    }

    /// One text or a list.
    fn texts(&mut self, item: &Item, scope: &mut Scope<'_>) -> Vec<Template> {
        match &item.value {
            Value::List(items) => {
                items.iter().filter_map(|item| self.template(item, scope)).collect()
            }
            _ => self.template(item, scope).into_iter().collect(),
        }
    }

    fn digest(&mut self, item: &Item) -> Option<[u8; 32]> {
        let text = item.text();
        let digest = from_hex(text).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        if digest.is_none() && !text.is_empty() {
            self.report
                .error(item.span, "this is no SHA-256")
                .expected("64 hexadecimal digits, as `sha256sum` writes them");
        }
        digest
    }

    fn json_path(&mut self, item: &Item) -> Option<JsonPath> {
        let text = item.text();
        match JsonPath::parse(text) {
            Ok(path) => Some(path),
            Err(fault) => {
                let found = self.report.error(
                    within(item, text, fault.offset, 1),
                    format!("{} is no path of JSON: {}", quote(text), fault.message),
                );
                found.expected("path such as `$.items[0].id` or `$['a b'][-1]`");
                if !text.starts_with('$') {
                    found.suggest(format!("$.{text}"));
                }
                None
            }
        }
    }

    pub(super) fn extracts(
        &mut self,
        items: &[(Item, Item)],
        scope: &mut Scope<'_>,
    ) -> Vec<Extract> {
        let mut extracts = Vec::new();
        for (name, item) in items {
            let from = self.extract_from(item);
            let fits = name.text().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !fits {
                self.report
                    .error(name.span, format!("{} is no name of a variable", quote(name.text())))
                    .remedy("a name has letters, digits and `_` only");
                continue;
            }
            scope.later.retain(|later| later != name.text());
            match (scope.extract(name.text()), from) {
                (Ok(place), Some(from)) => extracts.push(Extract { place, from }),
                (Ok(_), None) => {}
                (Err(message), _) => {
                    self.report.error(name.span, message).remedy("give it another name");
                }
            }
        }
        extracts
    }

    fn extract_from(&mut self, item: &Item) -> Option<From> {
        let table = item.table()?;
        if let Some(path) = table.get("json") {
            return self.json_path(path).map(From::Json);
        }
        if let Some(name) = table.text("header") {
            return Some(From::Header(name.to_owned()));
        }
        if let Some(item) = table.get("cookie") {
            let name = item.text();
            if !bulkhead_message::is_token(name.as_bytes()) && !name.is_empty() {
                self.report.error(item.span, format!("{} is no name of a cookie", quote(name)));
            }
            return Some(From::Cookie(name.to_owned()));
        }
        let item = table.get("regex")?;
        if item.text().is_empty() {
            return None;
        }
        match regex::bytes::Regex::new(item.text()) {
            Ok(regex) => Some(From::Regex(regex)),
            Err(fault) => {
                // The format has checked the syntax: what is left is its size.
                self.report.error(item.span, format!("the pattern cannot be used: {fault}"));
                None
            }
        }
    }
}
