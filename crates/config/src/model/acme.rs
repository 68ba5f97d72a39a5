//! Certificates obtained by ACME (RFC 8555).

use std::path::PathBuf;
use std::time::Duration;

use super::SecretSource;

/// How certificates are obtained.
#[derive(Clone, Debug, PartialEq)]
pub struct Acme {
    /// URL of the server's directory.
    pub directory: String,
    /// Contacts of the account, as URLs.
    pub contact: Vec<String>,
    /// Names of each certificate; neither is ever empty.
    pub domains: Vec<Vec<String>>,
    /// How names are proved.
    pub challenge: AcmeChallenge,
    /// Directory for account and certificates.
    pub storage: PathBuf,
    /// How long before its end a certificate is renewed, at most a third of its life. Default 30 d.
    pub renew_before: Duration,
    /// PEM file with the trust anchor of the server; `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// Account at the certificate authority.
    pub external_account: Option<ExternalAccount>,
}

/// How names are proved.
#[derive(Clone, Debug, PartialEq)]
pub enum AcmeChallenge {
    /// By an answer on port 80 (RFC 8555 §8.3).
    Http01,
    /// By a handshake on port 443 (RFC 8737).
    TlsAlpn01,
    /// By a DNS record (RFC 8555 §8.4).
    Dns01 {
        /// Program that makes and removes it.
        hook: PathBuf,
        /// How long until the server sees it.
        wait: Duration,
    },
}

/// External account binding (RFC 8555 §7.3.4).
#[derive(Clone, Debug, PartialEq)]
pub struct ExternalAccount {
    /// Identifier of the key.
    pub key_id: String,
    /// The MAC key, in base64url.
    pub key: SecretSource,
}

impl Acme {
    /// Directory with the certificates, below `storage`, in the form of a listener's
    /// `certificates_dir`.
    pub fn certificates_dir(&self) -> PathBuf {
        self.storage.join("certificates")
    }

    /// Every path.
    pub fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        let mut paths = vec![&mut self.storage];
        paths.extend(&mut self.ca_file);
        if let AcmeChallenge::Dns01 { hook, .. } = &mut self.challenge {
            paths.push(hook);
        }
        if let Some(ExternalAccount { key: SecretSource::File(path), .. }) =
            &mut self.external_account
        {
            paths.push(path);
        }
        paths
    }
}
