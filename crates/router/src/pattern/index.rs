//! Many patterns over the same text: only those whose literal begin fits are tried.

use std::collections::HashMap;

use super::{PatternId, Patterns};

/// No key.
const NONE: u32 = u32::MAX;

/// Patterns with a value each, sorted by the literal bytes that their texts begin with.
///
/// All keys that begin a text are found by one binary search: the last key not above the text, and
/// from there along `shorter`, which leads to the longest other key that begins a key.
#[derive(Debug, Default)]
pub(crate) struct PatternIndex {
    groups: Vec<Group>,
    /// What was pushed and is not grouped yet.
    pending: Vec<(Box<[u8]>, PatternId, u32)>,
    pending_values: HashMap<PatternId, u32, foldhash::fast::FixedState>,
}

#[derive(Debug)]
struct Group {
    key: Box<[u8]>,
    shorter: u32,
    entries: Vec<(PatternId, u32)>,
}

impl PatternIndex {
    pub(crate) const fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The value of a pattern that was pushed before [`PatternIndex::finish`].
    pub(crate) fn pending(&self, id: PatternId) -> Option<u32> {
        self.pending_values.get(&id).copied()
    }

    /// Adds a pattern. [`PatternIndex::finish`] must follow before [`PatternIndex::visit`].
    pub(crate) fn push(&mut self, id: PatternId, key: &[u8], value: u32) {
        self.pending.push((key.into(), id, value));
        self.pending_values.insert(id, value);
    }

    pub(crate) fn finish(&mut self) {
        self.pending_values = HashMap::default();
        let mut pending = std::mem::take(&mut self.pending);
        // Stable, so that within a key the order of precedence stays.
        pending.sort_by(|a, b| a.0.cmp(&b.0));
        for (key, id, value) in pending {
            match self.groups.last_mut().filter(|group| group.key == key) {
                Some(group) => group.entries.push((id, value)),
                None => {
                    let shorter = self.longest_beginning(&key);
                    self.groups.push(Group { key, shorter, entries: vec![(id, value)] });
                }
            }
        }
    }

    /// The longest of the smaller keys that begins this one.
    fn longest_beginning(&self, key: &[u8]) -> u32 {
        let mut candidate = (self.groups.len() as u32).wrapping_sub(1);
        while let Some(group) = self.groups.get(candidate as usize) {
            if key.starts_with(&group.key) {
                return candidate;
            }
            candidate = group.shorter;
        }
        NONE
    }

    /// Calls `visit` with each value that passes `wanted` and whose pattern matches all of `text`.
    #[inline]
    pub(crate) fn visit<S>(
        &self,
        patterns: &Patterns,
        text: &[u8],
        state: &mut S,
        wanted: impl Fn(&S, u32) -> bool,
        mut visit: impl FnMut(&mut S, u32),
    ) {
        let mut at = self.groups.partition_point(|group| *group.key <= *text);
        // The one before is the last that is not above the text, but need not begin it.
        at = at.wrapping_sub(1);
        while let Some(group) = self.groups.get(at) {
            if text.starts_with(&group.key) {
                for &(id, value) in &group.entries {
                    if wanted(state, value) && patterns.is_match(id, text) {
                        visit(state, value);
                    }
                }
            }
            at = group.shorter as usize;
        }
    }
}
