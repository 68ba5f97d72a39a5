//! Arrows between crates point down only (see ARCHITECTURE.md).

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::command::{cargo, output};

/// From the ground up. A crate may depend on those of lower rows, never on its own row's.
const LAYERS: [&[&str]; 8] = [
    &["message"],
    &["config"],
    &["router", "codec", "filter", "grpc"],
    &["transport", "telemetry"],
    &["upstream", "load", "origin", "chaos"],
    &["scenario", "lab", "experiment"],
    &["gateway", "control"],
    &["cli"],
];

/// May be used by tests alone.
const DEV_ONLY: &str = "testkit";

const PREFIX: &str = "bulkhead-";

pub(crate) fn problems() -> Result<Vec<String>> {
    let text = output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&text).context("read cargo's metadata")?;
    let packages = metadata["packages"].as_array().context("find the packages")?;
    let mut problems = Vec::new();
    for package in packages {
        let Some(from) = package["name"].as_str().and_then(|name| name.strip_prefix(PREFIX)) else {
            continue;
        };
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        for dependency in dependencies {
            // Tests may reach anywhere: they are not shipped.
            if dependency["kind"].as_str() == Some("dev") {
                continue;
            }
            let name = dependency["name"].as_str().and_then(|name| name.strip_prefix(PREFIX));
            if let Some(problem) = name.and_then(|to| arrow(from, to)) {
                problems.push(problem);
            }
        }
    }
    Ok(problems)
}

/// What is wrong with `from` depending on `to`.
fn arrow(from: &str, to: &str) -> Option<String> {
    if to == DEV_ONLY {
        return Some(format!("crates/{from}: {DEV_ONLY} is for [dev-dependencies] alone"));
    }
    if from == DEV_ONLY {
        return None;
    }
    let layer = |name: &str| LAYERS.iter().position(|row| row.contains(&name));
    match (layer(from), layer(to)) {
        (Some(from_layer), Some(to_layer)) if to_layer < from_layer => None,
        (Some(_), Some(_)) => {
            Some(format!("crates/{from}: may not depend on `{to}`: arrows point down only"))
        }
        (None, _) => Some(format!("crates/{from}: has no layer in xtask/src/tidy/layers.rs")),
        (_, None) => Some(format!("crates/{to}: has no layer in xtask/src/tidy/layers.rs")),
    }
}

#[cfg(test)]
mod tests;
