//! Alternation, spelled out: `u(\d+|x)` is `u\d+` or `ux`.
//!
//! A pattern that must match the whole text means the same as the set of its alternatives, so where
//! these are few, each may be a chain and the engine is not needed. Groups that are repeated, or carry
//! flags or a name, are left to the engine.

/// Alternatives of one pattern at most.
const ALTERNATIVES_MAX: usize = 16;

const QUANTIFIERS: [char; 4] = ['?', '*', '+', '{'];

/// The alternatives; `None` if there are too many, or the pattern is left to the engine.
pub(super) fn spell_out(pattern: &str) -> Option<Vec<String>> {
    let mut all = Vec::new();
    for alternative in split(pattern)? {
        if alternative.starts_with(QUANTIFIERS) {
            return None;
        }
        match first_group(alternative)? {
            None => all.push(alternative.to_owned()),
            Some((before, group, after)) => {
                let endings = spell_out(after)?;
                for middle in spell_out(group)? {
                    all.extend(endings.iter().map(|ending| format!("{before}{middle}{ending}")));
                }
            }
        }
        if all.len() > ALTERNATIVES_MAX {
            return None;
        }
    }
    Some(all)
}

/// Splits at each `|` outside of groups.
fn split(pattern: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut scanner = Scanner::new(pattern);
    while let Some((at, byte)) = scanner.next_special()? {
        if byte == b'|' && scanner.depth == 0 {
            parts.push(&pattern[start..at]);
            start = at + 1;
        }
    }
    parts.push(&pattern[start..]);
    (scanner.depth == 0).then_some(parts)
}

/// What stands before, in and after the first group. The outer `None`: leave it to the engine.
#[expect(clippy::option_option, reason = "`no group` and `not for us` are different answers")]
fn first_group(pattern: &str) -> Option<Option<(&str, &str, &str)>> {
    let mut scanner = Scanner::new(pattern);
    let mut open = None;
    while let Some((at, byte)) = scanner.next_special()? {
        match (byte, scanner.depth) {
            (b'(', 1) => open = Some(at),
            (b')', 0) => {
                let before = open?;
                let group = pattern.get(before + 1..at)?;
                let group = group.strip_prefix("?:").unwrap_or(group);
                let after = &pattern[at + 1..];
                let before = &pattern[..before];
                let repeated = after.starts_with(QUANTIFIERS);
                // What is wrong must stay wrong when the parentheses are gone: `a(+)`, `a{1(,)2}`.
                let in_braces = before.rfind('{') > before.rfind('}');
                let plain = !group.starts_with(QUANTIFIERS) && !repeated && !in_braces;
                return plain.then_some(Some((before, group, after)));
            }
            _ => {}
        }
    }
    Some(None)
}

/// Finds parentheses and bars that are not escaped and not in a class.
struct Scanner<'a> {
    bytes: std::iter::Enumerate<std::slice::Iter<'a, u8>>,
    depth: usize,
}

impl<'a> Scanner<'a> {
    fn new(pattern: &'a str) -> Self {
        Self { bytes: pattern.as_bytes().iter().enumerate(), depth: 0 }
    }

    /// The next one, with `depth` counted after it. The outer `None`: unbalanced, or a class that is
    /// not plain.
    #[expect(clippy::option_option, reason = "`the end` and `not for us` are different answers")]
    fn next_special(&mut self) -> Option<Option<(usize, u8)>> {
        while let Some((at, &byte)) = self.bytes.next() {
            match byte {
                b'\\' => drop(self.bytes.next()),
                b'[' => self.skip_class()?,
                b'(' => {
                    self.depth += 1;
                    return Some(Some((at, byte)));
                }
                b')' => {
                    self.depth = self.depth.checked_sub(1)?;
                    return Some(Some((at, byte)));
                }
                b'|' => return Some(Some((at, byte))),
                _ => {}
            }
        }
        Some(None)
    }

    fn skip_class(&mut self) -> Option<()> {
        let mut first = true;
        while let Some((_, &byte)) = self.bytes.next() {
            match byte {
                b'\\' => drop(self.bytes.next()),
                b'^' if first => continue,
                b']' if !first => return Some(()),
                // A literal bracket in first place, or a class in the class.
                b']' | b'[' => return None,
                _ => {}
            }
            first = false;
        }
        None
    }
}

#[cfg(test)]
mod tests;
