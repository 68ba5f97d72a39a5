//! Files and functions may not grow past their limits. What was longer when the rule came stands
//! in `xtask/ratchet.txt` with its length, and may only shrink.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use super::Source;

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// A function and its length in lines, signature and braces included.
#[derive(Debug, PartialEq)]
struct Function<'a> {
    name: &'a str,
    lines: usize,
}

pub(crate) fn check(sources: &[Source], ratchet: &str, problems: &mut Vec<String>) -> Result<()> {
    let allowed = read_ratchet(ratchet)?;
    for source in sources.iter().filter(|source| !source.is_test()) {
        let lines = source.text.lines().count();
        exceeds(&source.path, lines, FILE_LINES_MAX, &allowed, problems);
        for function in functions(&source.text) {
            let what = format!("{}::{}", source.path, function.name);
            exceeds(&what, function.lines, FUNCTION_LINES_MAX, &allowed, problems);
        }
    }
    Ok(())
}

fn exceeds(
    what: &str,
    lines: usize,
    limit: usize,
    allowed: &BTreeMap<&str, usize>,
    problems: &mut Vec<String>,
) {
    let limit = allowed.get(what).copied().unwrap_or(limit);
    if lines > limit {
        problems.push(format!("{what}: {lines} lines, at most {limit}: divide it"));
    }
}

/// `LINES PATH` or `LINES PATH::FUNCTION`; `#` begins a comment.
fn read_ratchet(text: &str) -> Result<BTreeMap<&str, usize>> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (lines, what) = line.split_once(' ').context("read a line of the ratchet")?;
            Ok((what.trim(), lines.parse().context("read a length of the ratchet")?))
        })
        .collect()
}

/// Finds functions by the shape that rustfmt gives them: the closing brace stands under the
/// beginning of the signature.
fn functions(text: &str) -> Vec<Function<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let signature_end = lines[start..]
            .iter()
            .position(|line| line.ends_with('{') || line.ends_with(';') || line.ends_with('}'));
        let Some(signature_end) = signature_end.map(|offset| start + offset) else { continue };
        if !lines[signature_end].ends_with('{') {
            continue;
        }
        let end = lines[signature_end + 1..]
            .iter()
            .position(|line| line.trim() == "}" && line.find('}') == Some(indent));
        if let Some(end) = end {
            found.push(Function { name, lines: signature_end + 1 + end - start + 1 });
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    for modifier in
        ["pub(crate) ", "pub(super) ", "pub ", "const ", "async ", "unsafe ", "extern \"C\" "]
    {
        rest = rest.strip_prefix(modifier).unwrap_or(rest);
    }
    let rest = rest.strip_prefix("fn ")?;
    rest.split(['(', '<']).next()
}

#[cfg(test)]
mod tests;
