//! A configuration file → a configuration, with its paths made relative to the file.

use std::path::{Path, PathBuf};

use bulkhead_config::model::{AccessLog, JwtKeys, SecretSource};
use bulkhead_config::{Checked, Config, Diagnostics};
use bulkhead_control::Parsed;

/// Parses and checks, and resolves paths.
pub(crate) fn check(text: &str, file: &str) -> Result<Checked, Diagnostics> {
    let mut checked = bulkhead_config::parse(text, file)?;
    let directory = Path::new(file).parent().unwrap_or_else(|| Path::new(""));
    for path in paths(&mut checked.config) {
        // An absolute path replaces what it is joined to.
        *path = directory.join(&*path);
    }
    Ok(checked)
}

/// As [`check`], for the control plane, which does not care what a diagnostic is made of.
pub(crate) fn parse(text: &str, file: &str) -> Result<Parsed, String> {
    match check(text, file) {
        Ok(Checked { config, warnings }) => {
            Ok(Parsed { config, warnings: warnings.iter().map(ToString::to_string).collect() })
        }
        Err(diagnostics) => Err(diagnostics.to_string()),
    }
}

/// Every path in a configuration.
fn paths(config: &mut Config) -> Vec<&mut PathBuf> {
    let mut paths = Vec::new();
    for tls in config.listeners.iter_mut().filter_map(|listener| listener.tls.as_mut()) {
        paths.extend(tls.paths_mut());
    }
    for cluster in config.clusters.values_mut() {
        paths.extend(cluster.tls.iter_mut().flat_map(|tls| tls.paths_mut()));
    }
    paths.extend(config.acme.iter_mut().flat_map(|acme| acme.paths_mut()));
    for provider in config.jwt_providers.values_mut() {
        match &mut provider.keys {
            JwtKeys::InlineJwks(_) => {}
            JwtKeys::JwksFile(path) | JwtKeys::PublicKeyFile(path) => paths.push(path),
            JwtKeys::Secret(source) => paths.extend(secret(source)),
        }
    }
    if let Some(AccessLog::File(path)) = &mut config.access_log {
        paths.push(path);
    }
    paths
}

fn secret(source: &mut SecretSource) -> Option<&mut PathBuf> {
    match source {
        SecretSource::File(path) => Some(path),
        SecretSource::Environment(_) => None,
    }
}

#[cfg(test)]
mod tests;
