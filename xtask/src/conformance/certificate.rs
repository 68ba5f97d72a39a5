//! A certificate of this machine's loopback, made for each run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bulkhead_testkit::Authority;

/// A certificate for `localhost` and 127.0.0.1.
pub(super) struct Certificate {
    /// PEM file with the certificate and its authority: for who trusts it as well as for who shows it.
    pub(super) chain: PathBuf,
    /// PEM file with its private key.
    pub(super) key: PathBuf,
}

impl Certificate {
    /// Writes one into `directory`.
    pub(super) fn create(directory: &Path) -> Result<Self> {
        let made =
            Self { chain: directory.join("certificate.pem"), key: directory.join("key.pem") };
        let leaf = Authority::new().issue(&["localhost", "127.0.0.1"]);
        fs::write(&made.chain, leaf.chain_pem).context("write the certificate")?;
        fs::write(&made.key, leaf.key_pem).context("write its key")?;
        Ok(made)
    }
}
