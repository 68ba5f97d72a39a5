//! The result in `docs/chaos-formats.md`, between two marks.

use std::fs;

use anyhow::{Context as _, Result};

use super::Class;
use crate::command::root;

const PAGE: &str = "docs/chaos-formats.md";
const BEGIN: &str = "<!-- begin: cargo xtask chaostoolkit -->\n";
const END: &str = "<!-- end: cargo xtask chaostoolkit -->";

pub(super) fn write(versions: &str, classes: &[Class]) -> Result<()> {
    let path = root().join(PAGE);
    let page = fs::read_to_string(&path).with_context(|| format!("read {PAGE}"))?;
    let (before, rest) = page.split_once(BEGIN).context("the page has no place for the result")?;
    let (_, after) = rest.split_once(END).context("the page has no end of the result")?;
    let mut text = format!("Against {versions}.\n\n| what | cases | differ |\n|---|---|---|\n");
    for class in classes {
        text.push_str(&format!(
            "| {} | {} | {} |\n",
            class.name,
            class.cases,
            class.differences.len()
        ));
    }
    fs::write(&path, format!("{before}{BEGIN}{text}{END}{after}")).context("write the page")
}
