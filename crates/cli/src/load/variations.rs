//! Text with numbers that differ from request to request: `{name:uniform(low,high)}`, as in a path.
//!
//! JSON has no such form (its names are quoted), so nothing else in it is taken for one. The texts are
//! made before the run, as many as are worth their memory, and then used in turn: a request costs no
//! more than a fixed one. Never draws from the clock.

use anyhow::{Context, ensure};
use bulkhead_load::Random;

/// Texts that are made of one with placeholders.
const VARIATIONS_MAX: usize = 1_000;
/// Bytes of all of them together.
const BYTES_MAX: usize = 64 << 20;

/// A text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variations {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Uniform { low: u64, high: u64 },
}

impl Variations {
    /// Takes the placeholders of a text apart.
    ///
    /// # Errors
    /// If one has no end, or numbers that are none.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        let mut kept = String::new();
        while let Some(at) = rest.find('{') {
            let (before, from) = rest.split_at(at);
            kept.push_str(before);
            let Some(inner) = placeholder(from) else {
                kept.push('{');
                rest = &from[1..];
                continue;
            };
            let (inner, after) =
                inner.split_once(")}").with_context(|| format!("`{{{inner}` has no `)}}`"))?;
            let (low, high) = bounds(inner).with_context(|| {
                format!("`{{{inner})}}` is not of the form {{name:uniform(1,1000)}}")
            })?;
            ensure!(low <= high, "`{{{inner})}}` has its bounds the wrong way round");
            parts.push(Part::Text(std::mem::take(&mut kept)));
            parts.push(Part::Uniform { low, high });
            rest = after;
        }
        kept.push_str(rest);
        parts.push(Part::Text(kept));
        Ok(Self { parts })
    }

    /// The texts: one if there is no placeholder.
    pub(crate) fn texts(&self, seed: u64) -> impl Iterator<Item = String> {
        let bytes: usize = self.parts.iter().map(Part::length).sum();
        let most = (BYTES_MAX / bytes.max(1)).clamp(1, VARIATIONS_MAX);
        let count = if self.parts.len() > 1 { most } else { 1 };
        let mut random = Random::new(seed);
        (0..count).map(move |_| self.parts.iter().map(|part| part.tell(&mut random)).collect())
    }
}

impl Part {
    const fn length(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Uniform { .. } => 20,
        }
    }

    fn tell(&self, random: &mut Random) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Uniform { low, high } => {
                let count = (high - low).saturating_add(1);
                (low + random.below(count)).to_string()
            }
        }
    }
}

/// What follows the brace of a placeholder. Inside a JSON string the form may stand as well.
fn placeholder(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('{')?;
    let name = inner.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')?;
    (name > 0 && inner[name..].starts_with(":uniform(")).then_some(inner)
}

/// The numbers of `name:uniform(low,high`.
fn bounds(inner: &str) -> Option<(u64, u64)> {
    let (low, high) = inner.split_once('(')?.1.split_once(',')?;
    Some((low.trim().parse().ok()?, high.trim().parse().ok()?))
}

#[cfg(test)]
mod tests;
