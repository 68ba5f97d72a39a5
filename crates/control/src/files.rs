//! Files that a configuration refers to: when one changes, the configuration is applied again.

use std::path::PathBuf;

use bulkhead_config::Config;
use bulkhead_config::model::{JwtKeys, SecretSource};

/// Every file whose content takes effect when `config` is applied, each once, sorted.
pub fn referenced(config: &Config) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for tls in config.listeners.iter().filter_map(|listener| listener.tls.as_ref()) {
        for certificate in &tls.certificates {
            files.push(certificate.certificate_file.clone());
            files.extend(secret_file(&certificate.private_key));
        }
    }
    for cluster in config.clusters.values() {
        files.extend(cluster.tls.as_ref().and_then(|tls| tls.ca_file.clone()));
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
