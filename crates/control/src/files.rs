//! Files that a configuration refers to: when one changes, the configuration is applied again.

use std::path::PathBuf;

use bulkhead_config::Config;
use bulkhead_config::model::{JwtKeys, SecretSource};

/// Every file whose content takes effect when `config` is applied, each once, sorted.
pub fn referenced(config: &Config) -> Vec<PathBuf> {
    let mut files = Vec::new();
    // The one list of paths is for who changes them.
    let mut listeners = config.listeners.clone();
    for tls in listeners.iter_mut().filter_map(|listener| listener.tls.as_mut()) {
        files.extend(tls.paths_mut().into_iter().map(|path| path.clone()));
    }
    let mut clusters = config.clusters.clone();
    for tls in clusters.values_mut().filter_map(|cluster| cluster.tls.as_mut()) {
        files.extend(tls.paths_mut().into_iter().map(|path| path.clone()));
    }
    for provider in config.jwt_providers.values() {
        match &provider.keys {
            JwtKeys::InlineJwks(_) => {}
            JwtKeys::JwksFile(path) | JwtKeys::PublicKeyFile(path) => files.push(path.clone()),
            JwtKeys::Secret(source) => files.extend(secret_file(source)),
        }
    }
    files.sort();
    files.dedup();
    files
}

fn secret_file(source: &SecretSource) -> Option<PathBuf> {
    match source {
        SecretSource::File(path) => Some(path.clone()),
        SecretSource::Environment(_) => None,
    }
}

#[cfg(test)]
mod tests;
