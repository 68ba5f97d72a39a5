//! Patterns: each distinct one is compiled once, and most need no regular expression engine.
//!
//! Nearly all patterns in routes are a chain of literals and repeated classes (`\d+`, `[a-z0-9-]+`,
//! `v\d{1,3}`), or a choice of a few. Such a chain is matched by [`chain::Chain`] in one pass; everything
//! else goes to the `regex` crate, whose time is linear in the text as well.

mod alternatives;
mod chain;
mod index;

use std::collections::HashMap;
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};

use crate::error::CompileErrorKind;
use chain::Chain;
pub(crate) use index::{KeyedPattern, PatternIndex};

/// Compiled size of one pattern at most, bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Working memory of one pattern in one worker at most, bytes.
const PATTERN_CACHE_BYTES_MAX: usize = 1 << 18;

/// Number of a pattern in [`Patterns`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PatternId {
    /// Any of so many chains from this one on.
    Chains {
        first: u32,
        count: u32,
    },
    Regex(u32),
}

/// All patterns of a table.
///
/// A clone shares the compiled programs but has working memory of its own, so that workers which
/// each have a clone never contend for it.
#[derive(Clone, Debug)]
pub(crate) struct Patterns {
    chains: Arc<[Chain]>,
    regexes: Vec<Regex>,
}

impl Patterns {
    /// Whether the pattern matches all of `text`.
    #[inline]
    pub(crate) fn is_match(&self, id: PatternId, text: &[u8]) -> bool {
        match id {
            PatternId::Chains { first, count } => {
                let chains = first as usize..(first + count) as usize;
                let chains = self.chains.get(chains).unwrap_or(&[]);
                chains.iter().any(|chain| chain.is_match(text))
            }
            PatternId::Regex(at) => {
                self.regexes.get(at as usize).is_some_and(|regex| regex.is_match(text))
            }
        }
    }
}

/// Collects the patterns while a table is compiled.
#[derive(Debug, Default)]
pub(crate) struct PatternsBuilder {
    known: HashMap<String, (PatternId, Vec<u8>), foldhash::fast::FixedState>,
    chains: Vec<Chain>,
    regexes: Vec<Regex>,
}

impl PatternsBuilder {
    /// The pattern's number, and the bytes that every matching text begins with.
    pub(crate) fn intern(&mut self, text: &str) -> Result<(PatternId, Vec<u8>), CompileErrorKind> {
        if let Some((id, prefix)) = self.known.get(text) {
            return Ok((*id, prefix.clone()));
        }
        let (id, prefix) = match parse_chains(text) {
            Some(chains) => {
                let first = self.chains.len() as u32;
                let prefix = common_begin(chains.iter().map(Chain::literal_prefix)).to_vec();
                let count = chains.len() as u32;
                self.chains.extend(chains);
                (PatternId::Chains { first, count }, prefix)
            }
            None => {
                self.regexes.push(compile(text)?);
                (PatternId::Regex(self.regexes.len() as u32 - 1), literal_prefix(text))
            }
        };
        self.known.insert(text.to_owned(), (id, prefix.clone()));
        Ok((id, prefix))
    }

    pub(crate) fn finish(self) -> Patterns {
        Patterns { chains: self.chains.into(), regexes: self.regexes }
    }
}

/// The pattern as a choice of chains, if it is one.
fn parse_chains(text: &str) -> Option<Vec<Chain>> {
    alternatives::spell_out(text)?.iter().map(|text| Chain::parse(text)).collect()
}

/// The longest begin that all texts have.
fn common_begin<'a>(mut texts: impl Iterator<Item = &'a [u8]>) -> &'a [u8] {
    let Some(first) = texts.next() else { return &[] };
    texts.fold(first, |common, text| {
        let same = common.iter().zip(text).take_while(|(a, b)| a == b).count();
        &common[..same]
    })
}

fn compile(text: &str) -> Result<Regex, CompileErrorKind> {
    let build = |text: &str| {
        RegexBuilder::new(text)
            .unicode(false)
            .size_limit(PATTERN_BYTES_MAX)
            .dfa_size_limit(PATTERN_CACHE_BYTES_MAX)
            .build()
    };
    let wrong = |error: regex::Error| CompileErrorKind::Pattern {
        pattern: text.to_owned(),
        reason: match error {
            // The engine's report has several lines: a drawing, and the reason at the end.
            regex::Error::Syntax(report) => last_line(&report),
            regex::Error::CompiledTooBig(_) => "is too large".to_owned(),
            _ => "cannot be compiled".to_owned(),
        },
    };
    // A pattern must stand by itself, or `a)|(b` would escape from the group below.
    build(text).map_err(wrong)?;
    build(&format!("^(?:{text})$")).map_err(wrong)
}

fn last_line(report: &str) -> String {
    let line = report.lines().last().unwrap_or("is not valid");
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// Literal bytes at the begin of a pattern, as far as they are plain to see.
fn literal_prefix(text: &str) -> Vec<u8> {
    const META: &[u8] = br"\.+*?()|[]{}^$#&~ ";
    if may_alternate(text) {
        return Vec::new();
    }
    let text = text.as_bytes();
    let end = text.iter().position(|b| META.contains(b) || !b.is_ascii()).unwrap_or(text.len());
    // A quantifier makes the byte before it optional.
    let optional = text.get(end).is_some_and(|byte| b"?*{+".contains(byte));
    text[..end - usize::from(optional && end > 0)].to_vec()
}

/// Whether a `|` may stand outside of all groups, so that the begin is not everybody's. When in doubt,
/// yes: classes and flags change what a parenthesis means.
fn may_alternate(text: &str) -> bool {
    if !text.contains('|') {
        return false;
    }
    if text.contains('[') || text.replace("(?:", "(").contains("(?") {
        return true;
    }
    let mut depth = 0usize;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'|' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
pub(crate) mod tests;
