//! Figures in a page that a chore writes: they stand between `NAME:begin` and `NAME:end` in comments,
//! and nothing else of the page is touched.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Replaces the figures of this name in a page.
pub(crate) fn write(page: &Path, name: &str, text: &str) -> Result<()> {
    let old = fs::read_to_string(page).with_context(|| format!("read {}", page.display()))?;
    let new = replaced(&old, name, text)
        .with_context(|| format!("find the markers of {name} in {}", page.display()))?;
    fs::write(page, new).with_context(|| format!("write {}", page.display()))
}

/// `None` without markers.
fn replaced(page: &str, name: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name}:begin -->\n"), format!("<!-- {name}:end -->"));
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}{text}{end}{after}"))
}

#[cfg(test)]
mod tests;
