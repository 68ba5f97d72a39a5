//! A certificate of this machine's loopback, made with `openssl` for each run.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::command::{find_program, output};

/// A self-signed certificate for `localhost` and 127.0.0.1, which is its own trust anchor.
pub(super) struct Certificate {
    /// PEM file with the certificate.
    pub(super) chain: PathBuf,
    /// PEM file with its private key.
    pub(super) key: PathBuf,
}

impl Certificate {
    /// Writes one into `directory`. `None`: there is no `openssl`.
    pub(super) fn create(directory: &Path) -> Result<Option<Self>> {
        let Some(openssl) = find_program("openssl") else { return Ok(None) };
        let made =
            Self { chain: directory.join("certificate.pem"), key: directory.join("key.pem") };
        let mut command = Command::new(openssl);
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        command.args(["-nodes", "-days", "2", "-subj", "/CN=localhost"]);
        command.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        // With the default, which is an authority's, it could be no server's at the same time.
        command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        command.arg("-keyout").arg(&made.key).arg("-out").arg(&made.chain);
        output(&mut command).context("make a certificate")?;
        Ok(Some(made))
    }
}
