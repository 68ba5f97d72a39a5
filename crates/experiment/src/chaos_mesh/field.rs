//! Fields of an object. Those that nobody asked for are told: nothing is skipped silently.

use std::collections::HashSet;
use std::time::Duration;

use super::Import;
use crate::document::Located;
use crate::{duration, python};

pub(super) struct Fields<'l> {
    at: &'l Located,
    path: String,
    asked: HashSet<String>,
}

/// Why fields have no equivalent, by their names; whatever object they stand in.
const REASONS: [(&str, &str); 12] = [
    ("selector", "there are no pods: the target is a variable of the configuration"),
    ("mode", "there are no pods: give `targets` and a `blast_radius` to strike some of several"),
    ("value", "there are no pods: give `targets` and a `blast_radius` to strike some of several"),
    ("target", "the link that is named is the whole path: there is no other end to select"),
    (
        "externalTargets",
        "the link that is named is the whole path: there is no other end to select",
    ),
    ("correlation", "packets are drawn apart: use a Gilbert-Elliott model for bursts"),
    ("containerNames", "there are no containers: the target is a process"),
    ("gracePeriod", "a process is killed at once"),
    ("historyLimit", "journals are kept as files"),
    ("concurrencyPolicy", "whoever starts runs decides whether they may overlap"),
    ("startingDeadlineSeconds", "whoever starts runs decides when they are too late"),
    ("remoteCluster", "there is only this machine"),
];

impl<'l> Fields<'l> {
    pub(super) fn new(at: &'l Located, path: &str) -> Self {
        Self { at, path: path.to_owned(), asked: HashSet::new() }
    }

    pub(super) fn line(&self) -> usize {
        self.at.span.line
    }

    /// Path of a field, for people.
    pub(super) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub(super) fn line_of(&self, name: &str) -> usize {
        let member = self.at.members().iter().find(|member| member.name == name);
        member.map_or(self.at.span.line, |member| member.span.line)
    }

    pub(super) fn get(&mut self, name: &str) -> Option<&'l Located> {
        self.asked.insert(name.to_owned());
        self.at.get(name)
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let value = self.get(name)?;
        (!value.is_null()).then(|| python::text(&value.to_value()))
    }

    pub(super) fn duration(&mut self, name: &str) -> Option<Duration> {
        duration::parse(&self.text(name)?)
    }

    /// A share in percent, written as a number or a text.
    pub(super) fn percent(&mut self, name: &str) -> Option<f64> {
        let text = self.text(name)?;
        let share: f64 = text.trim_end_matches('%').parse().ok()?;
        (share > 0.0 && share <= 100.0).then_some(share)
    }

    pub(super) fn number(&mut self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    pub(super) fn map(&mut self, name: &str) -> Option<Self> {
        let path = self.path_of(name);
        let inner = self.get(name)?;
        inner.is_map().then(|| Self::new(inner, &path))
    }

    /// Fields that mean nothing here and that nobody misses.
    pub(super) fn skip(&mut self, names: &[&str]) {
        self.asked.extend(names.iter().map(|name| (*name).to_owned()));
    }

    /// Tells every field that was not asked for.
    pub(super) fn finish(self, import: &mut Import) {
        for member in self.at.members() {
            if self.asked.contains(&member.name) || is_nothing(&member.value) {
                continue;
            }
            let known = REASONS.iter().find(|(name, _)| *name == member.name);
            let reason = known.map_or("this field has no equivalent", |(_, reason)| *reason);
            import.leave_out(member.span.line, self.path_of(&member.name), reason);
        }
    }
}

/// A correlation of 0 is none.
fn is_nothing(value: &Located) -> bool {
    value.is_null() || matches!(value.text(), Some("0" | "")) || value.to_value() == 0
}
