//! Links between the repository's own pages lead somewhere. Links to the world are not followed.

use std::path::{Component, Path, PathBuf};

use super::Source;
use crate::command::root;

pub(crate) fn check(pages: &[Source], problems: &mut Vec<String>) {
    for page in pages {
        for target in targets(&page.text) {
            let Some(path) = resolve(&page.path, target) else { continue };
            if !root().join(&path).exists() {
                problems.push(format!("{}: the link `{target}` leads nowhere", page.path));
            }
        }
    }
}

/// What stands in the parentheses of `[text](target)`, outside code.
fn targets(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut in_fence = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        }
        if in_fence {
            continue;
        }
        // Every other piece between backticks is code.
        for prose in line.split('`').step_by(2) {
            let mut rest = prose;
            while let Some((_, after)) = rest.split_once("](") {
                let Some((target, behind)) = after.split_once(')') else { break };
                found.push(target);
                rest = behind;
            }
        }
    }
    found
}

/// Path from the root, or `None` for the world's addresses and places on the same page.
fn resolve(page: &str, target: &str) -> Option<PathBuf> {
    let file = target.split(['#', ' ']).next()?;
    if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
        return None;
    }
    let mut path = PathBuf::new();
    let directory = Path::new(page).parent()?;
    for component in directory.join(file).components() {
        match component {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests;
