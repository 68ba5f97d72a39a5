//! The rules of the layout that no compiler checks: which crate may know which, what a file is
//! called, how long it may grow, which calls have a better replacement, which links are dead.
//! It reads text and never builds anything.

mod examples;
mod layers;
mod lengths;
mod links;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::command::root;

/// A file as the rules see it.
pub(crate) struct Source {
    /// Path from the repository's root, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// Is it test, bench or generated code? Those may be long and may panic.
    fn is_test(&self) -> bool {
        let path = &self.path;
        path.ends_with("/tests.rs") || path.contains("/tests/") || path.contains("/benches/")
    }
}

/// Checks everything and prints what is wrong.
pub(crate) fn run() -> Result<()> {
    let problems = problems()?;
    for problem in &problems {
        eprintln!("{problem}");
    }
    if !problems.is_empty() {
        bail!("tidy found {} problems", problems.len());
    }
    println!("tidy: all is well");
    Ok(())
}

/// All that is wrong, one line each.
fn problems() -> Result<Vec<String>> {
    let sources = rust_sources()?;
    let mut problems = layers::problems()?;
    for source in &sources {
        sources::check(source, &mut problems);
    }
    let ratchet =
        fs::read_to_string(root().join("xtask/ratchet.txt")).context("read the ratchet")?;
    lengths::check(&sources, &ratchet, &mut problems)?;
    links::check(&markdown()?, &mut problems);
    examples::check(&mut problems)?;
    Ok(problems)
}

fn rust_sources() -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for top in ["crates", "xtask", "bench", "fuzz"] {
        collect(&root().join(top), "rs", &mut sources)?;
    }
    Ok(sources)
}

fn markdown() -> Result<Vec<Source>> {
    let mut pages = Vec::new();
    collect(&root(), "md", &mut pages)?;
    Ok(pages)
}

/// Reads every file of this kind below `directory`, without build output and hidden directories.
fn collect(directory: &Path, extension: &str, found: &mut Vec<Source>) -> Result<()> {
    if !directory.is_dir() {
        return Ok(());
    }
    let entries =
        fs::read_dir(directory).with_context(|| format!("list {}", directory.display()))?;
    let mut paths: Vec<PathBuf> =
        entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            let skipped = name.starts_with('.') || name == "target" || name == "node_modules";
            if !skipped {
                collect(&path, extension, found)?;
            }
        } else if path.extension().is_some_and(|it| it == extension) {
            // A file may vanish between the listing and the reading while somebody works.
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let relative = path.strip_prefix(root()).unwrap_or(&path);
            found.push(Source { path: relative.to_string_lossy().replace('\\', "/"), text });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
