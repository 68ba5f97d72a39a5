//! TLS on both sides.

use std::path::PathBuf;

use super::SecretSource;

/// TLS of a listener. It has certificates, a directory of them, or those of ACME.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListenerTls {
    /// Certificates, selected by SNI; the first is the default.
    pub certificates: Vec<Certificate>,
    /// Directory with more of them.
    pub certificates_dir: Option<PathBuf>,
    /// Directory with those that ACME obtained; its challenges are answered then.
    pub acme_dir: Option<PathBuf>,
    /// Preset of versions and suites.
    pub policy: TlsPolicy,
    /// Lowest version, if above the policy's. Default 1.2.
    pub min_version: TlsVersion,
    /// Refuse requests for another host than the one that the client named in its handshake (SNI).
    /// Default: false.
    pub require_sni_match: bool,
    /// Files with keys of session tickets, the one that seals first; empty: random keys.
    pub ticket_key_files: Vec<PathBuf>,
    /// What clients must show; `None`: they are not asked.
    pub client_certificates: Option<ClientCertificates>,
}

impl ListenerTls {
    /// Every path, a directory's too.
    pub fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        let mut paths: Vec<_> = self.certificates.iter_mut().flat_map(Certificate::paths).collect();
        paths.extend(&mut self.certificates_dir);
        paths.extend(&mut self.acme_dir);
        paths.extend(&mut self.ticket_key_files);
        if let Some(clients) = &mut self.client_certificates {
            paths.push(&mut clients.ca_file);
            paths.extend(&mut clients.crl_file);
        }
        paths
    }
}

/// TLS towards a cluster. Verification is on unless `insecure_skip_verify`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UpstreamTls {
    /// Name for SNI and verification; `None`: the endpoint's name or address.
    pub server_name: Option<String>,
    /// Names of which the certificate must have one, in place of that name; empty: that name.
    pub subject_alt_names: Vec<NameMatch>,
    /// PEM file with trust anchors; `None`: the public web's.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate.
    pub client_certificate: Option<Certificate>,
    /// Lowest version. Default 1.2.
    pub min_version: TlsVersion,
    /// Trust anybody. For tests.
    pub insecure_skip_verify: bool,
}

impl UpstreamTls {
    /// Every path.
    pub fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        let own = self.client_certificate.iter_mut().flat_map(Certificate::paths);
        own.chain(&mut self.ca_file).collect()
    }
}

/// TLS protocol version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2
    #[default]
    Tls12,
    /// TLS 1.3
    Tls13,
}

/// Preset of versions and suites.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsPolicy {
    /// TLS 1.3 only.
    Modern,
    /// TLS 1.2 with ECDHE and AEAD, and 1.3.
    #[default]
    Intermediate,
}

/// A certificate chain with its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Certificate {
    /// PEM file with the chain, leaf first.
    pub certificate_file: PathBuf,
    /// PEM with the private key.
    pub private_key: SecretSource,
    /// DER file with an OCSP response to staple.
    pub ocsp_file: Option<PathBuf>,
}

impl Certificate {
    fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let key = match &mut self.private_key {
            SecretSource::File(path) => Some(path),
            SecretSource::Environment(_) => None,
        };
        [Some(&mut self.certificate_file), key, self.ocsp_file.as_mut()].into_iter().flatten()
    }
}

/// Certificates that clients are asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientCertificates {
    /// PEM file with trust anchors.
    pub ca_file: PathBuf,
    /// Whether a client without one is turned away. Default yes.
    pub required: bool,
    /// Names of which a certificate must have one; empty: any certificate of the anchors.
    pub matches: Vec<NameMatch>,
    /// PEM file with revocation lists.
    pub crl_file: Option<PathBuf>,
}

/// A condition on a subject alternative name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameMatch {
    /// DNS name, `*.` for one label.
    Dns(String),
    /// URI, with a `*` at its end for anything.
    Uri(String),
    /// SPIFFE id, with a `*` at its end for anything.
    Spiffe(String),
}
