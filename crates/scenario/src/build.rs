//! A checked scenario → [`Scenario`]: everything that looks at more than one value, and what needs files.

mod body;
mod expect;
mod idle;
mod load;
mod pools;
mod requests;
mod targets;
mod texts;

pub(crate) use requests::OWN_FIELDS;

use std::sync::Arc;

use bulkhead_config::Diagnostics;
use bulkhead_config::document::{self, Item, Report, Span, Value, quote_name};

use crate::format::SCENARIO;
use crate::plan::Scenario;
use crate::pool::Pool;
use crate::settings::{Surroundings, TargetSettings};

/// Largest scenario.
pub const SCENARIO_BYTES_MAX: usize = 16 << 20;

/// What an empty file is told.
const NEEDED: &str = "a scenario has at least `targets` and `requests`";

/// Parses and compiles a scenario. `file` is its name in diagnostics.
///
/// # Errors
/// Everything found wrong, in the order of the file, up to 100.
pub fn parse(
    text: &str,
    file: &str,
    surroundings: &Surroundings<'_>,
) -> Result<Scenario, Diagnostics> {
    let built = document::read(text, file, &SCENARIO, NEEDED, |item, report| {
        Builder { report, surroundings }.scenario(item)
    });
    built.map(|(scenario, warnings)| Scenario { warnings, ..scenario })
}

/// What requests may refer to.
struct Known {
    targets: Vec<TargetSettings>,
    pools: Vec<Pool>,
    /// Data that could not be read.
    broken: Vec<String>,
    /// Names of the token pools.
    tokens: Vec<String>,
}

struct Builder<'b, 'r> {
    report: &'b mut Report<'r>,
    surroundings: &'b Surroundings<'b>,
}

impl Builder<'_, '_> {
    fn scenario(&mut self, item: &Item) -> Scenario {
        let empty = document::TableValue::default();
        let file = item.table().unwrap_or(&empty);
        let targets = self.targets(file.map("targets"));
        if let (Some(item), true) = (file.get("targets"), self.surroundings.url.is_some())
            && targets.len() > 1
        {
            self.report
                .error(
                    item.span,
                    format!("a URL was given, and there are {} targets", targets.len()),
                )
                .remedy("give no URL, or keep one target");
        }
        if let Some(Item { span, value: Value::Map(entries) }) = file.get("targets")
            && entries.is_empty()
        {
            self.report
                .error(*span, "there is no target")
                .remedy("add one: `targets: {main: http://127.0.0.1:8080}`");
        }
        let tokens = self.tokens(file.map("tokens"));
        let pools = self.pools(file.map("data"));
        let names = |key: &str| file.map(key).iter().map(|(name, _)| name.text().to_owned());
        let is_broken = |name: &String| !pools.iter().any(|pool| pool.name == *name);
        let known = Known {
            targets,
            broken: names("data").filter(is_broken).collect(),
            pools,
            // Also those with a fault: with one, nothing is sent anyway.
            tokens: names("tokens").collect(),
        };
        let load = file.table("load").map(|table| self.load(table));
        let mut plan = self.requests(file.list("requests"), &known);
        plan.pools = known.pools;
        self.idle(file, &plan);
        for assertion in file.list("assertions") {
            self.assertion(assertion);
        }
        Scenario {
            description: file.string("description").unwrap_or_default(),
            targets: known.targets,
            load,
            tokens,
            assertions: file.strings("assertions"),
            plan: Arc::new(plan),
            warnings: Vec::new(),
        }
    }

    fn assertion(&mut self, item: &Item) {
        let text = item.text();
        // What is no text was reported before.
        if !text.is_empty()
            && let Err(reason) = (self.surroundings.check_assertion)(text)
        {
            self.report.error(item.span, format!("{} is no assertion: {reason}", quote_name(text)));
        }
    }

    /// Reads a file that the scenario names.
    fn read(&mut self, item: &Item, bytes_max: usize) -> Option<Vec<u8>> {
        let name = item.text();
        if name.is_empty() {
            return None;
        }
        match (self.surroundings.read)(name) {
            Ok(bytes) if bytes.len() <= bytes_max => Some(bytes),
            Ok(bytes) => {
                let (size, max) = (bytes.len(), bytes_max >> 20);
                self.report.error(
                    item.span,
                    format!(
                        "the file {} has {size} bytes; {max} MiB is the limit",
                        quote_name(name)
                    ),
                );
                None
            }
            Err(reason) => {
                self.report
                    .error(item.span, format!("read the file {}: {reason}", quote_name(name)))
                    .remedy("names of files are relative to the folder of the scenario");
                None
            }
        }
    }

    /// As [`Self::read`], as text.
    fn read_text(&mut self, item: &Item, bytes_max: usize) -> Option<String> {
        let bytes = self.read(item, bytes_max)?;
        match String::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(_) => {
                let name = quote_name(item.text());
                self.report.error(item.span, format!("the file {name} is not UTF-8"));
                None
            }
        }
    }
}

/// The place of a part of a scalar. A scalar in quotes is wider than its text; what spans several lines
/// or has escapes in it is pointed at as a whole.
fn within(item: &Item, text: &str, offset: usize, width: usize) -> Span {
    let characters = text.chars().count();
    let shift = match item.span.width.checked_sub(characters) {
        Some(0) => 0,
        Some(2) => 1,
        _ => return item.span,
    };
    Span { column: item.span.column + shift + offset, width: width.max(1), ..item.span }
}

#[cfg(test)]
mod tests;
