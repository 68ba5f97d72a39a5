//! Counts by fixed text, for things that happen rarely: failures, floods, protocol errors.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::counter::Counter;

/// Different texts that one table tells apart; more count as `other`.
pub(crate) const REASONS_MAX: usize = 48;

#[derive(Debug, Default)]
struct Reason {
    text: OnceLock<&'static str>,
    count: Counter,
}

/// Counts by text. One writer. A text takes the first free place and keeps it, so that finding it
/// again is a short walk.
#[derive(Debug)]
pub(crate) struct Reasons {
    reasons: Box<[Reason]>,
    other: Counter,
}

impl Default for Reasons {
    fn default() -> Self {
        Self {
            reasons: (0..REASONS_MAX).map(|_| Reason::default()).collect(),
            other: Counter::default(),
        }
    }
}

impl Reasons {
    pub(crate) fn count(&self, text: &'static str) {
        self.add(text, 1);
    }

    pub(crate) fn add(&self, text: &'static str, count: u64) {
        for reason in &self.reasons {
            if *reason.text.get_or_init(|| text) == text {
                return reason.count.add(count);
            }
        }
        self.other.add(count);
    }

    pub(crate) fn add_to(&self, sum: &mut BTreeMap<&'static str, u64>) {
        for reason in &self.reasons {
            let Some(text) = reason.text.get() else { break };
            *sum.entry(text).or_default() += reason.count.get();
        }
        if self.other.get() > 0 {
            *sum.entry("other").or_default() += self.other.get();
        }
    }
}

#[cfg(test)]
mod tests;
