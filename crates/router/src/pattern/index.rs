//! Many patterns over the same text: only those whose literal begin fits are tried.

use super::{PatternId, Patterns, common_begin};
use crate::hashed::{HashedRanges, hash};

/// Literal bytes beyond the common begin that tell patterns apart. It bounds the number of different
/// lengths, and so of look-ups.
const KEY_BYTES_MAX: usize = 32;

/// A pattern on its way into an index.
#[derive(Clone, Debug)]
pub(crate) struct KeyedPattern {
    /// The bytes that every match begins with.
    pub(crate) begin: Vec<u8>,
    pub(crate) id: PatternId,
    /// What it stands for.
    pub(crate) value: u32,
}

/// Patterns with a value each, found by the literal bytes that their texts begin with.
#[derive(Debug, Default)]
pub(crate) struct PatternIndex {
    /// Patterns without a literal begin.
    always: Vec<(PatternId, u32)>,
    /// What all other keys begin with; the rest of each key is hashed.
    common: Box<[u8]>,
    /// Lengths of the rests, each once.
    lengths: Box<[u32]>,
    by_rest: HashedRanges,
    entries: Vec<(PatternId, u32)>,
}

impl PatternIndex {
    /// Takes patterns by precedence.
    pub(crate) fn build(patterns: &[KeyedPattern]) -> Self {
        let (keyed, always): (Vec<_>, Vec<_>) =
            patterns.iter().partition(|pattern| !pattern.begin.is_empty());
        let common = common_begin(keyed.iter().map(|pattern| pattern.begin.as_slice()));
        let rest = |pattern: &KeyedPattern| {
            let end = pattern.begin.len().min(common.len() + KEY_BYTES_MAX);
            pattern.begin.get(common.len()..end).unwrap_or(&[]).to_vec()
        };
        let mut rests: Vec<_> =
            keyed.iter().map(|pattern| (rest(pattern), (pattern.id, pattern.value))).collect();
        // Stable, so that within a key the order of precedence stays.
        rests.sort_by_key(|(rest, _)| hash(rest));
        let mut lengths: Vec<u32> = rests.iter().map(|(rest, _)| rest.len() as u32).collect();
        lengths.sort_unstable();
        lengths.dedup();
        Self {
            always: always.iter().map(|pattern| (pattern.id, pattern.value)).collect(),
            by_rest: HashedRanges::build(rests.iter().map(|(rest, _)| hash(rest))),
            entries: rests.iter().map(|&(_, entry)| entry).collect(),
            common: common.into(),
            lengths: lengths.into(),
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.always.is_empty() && self.entries.is_empty()
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
        let mut attempt = |state: &mut S, entries: &[(PatternId, u32)]| {
            for &(id, value) in entries {
                if wanted(state, value) && patterns.is_match(id, text) {
                    visit(state, value);
                }
            }
        };
        if let Some(rest) = text.strip_prefix(&*self.common) {
            for &length in &self.lengths {
                let Some(key) = rest.get(..length as usize) else { break };
                let range = self.by_rest.get(hash(key));
                attempt(state, self.entries.get(range).unwrap_or(&[]));
            }
        }
        attempt(state, &self.always);
    }
}
