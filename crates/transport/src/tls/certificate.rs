//! PEM text → checked certificate with its key and names. Reads no file.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use webpki::EndEntityCert;
use x509_cert::der::Decode;

use super::error::CertificateError;
use super::policy::provider;
use super::staple::Staple;

/// A certificate chain and its private key, as PEM text (RFC 7468).
#[derive(Clone, PartialEq, Eq)]
pub struct CertificatePem {
    /// The server's own certificate, then the intermediate ones. Text beside it is passed over.
    pub chain_pem: Vec<u8>,
    /// The private key, not encrypted: PKCS #8, PKCS #1 or SEC 1. Text beside it is passed over.
    pub key_pem: Vec<u8>,
}

/// Shows no key material.
impl fmt::Debug for CertificatePem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificatePem")
            .field("chain_bytes", &self.chain_pem.len())
            .finish_non_exhaustive()
    }
}

/// A certificate chain with its key, parsed and checked: cheap to share between configurations.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    names: Arc<[String]>,
    not_after: u64,
}

impl Certificate {
    /// Parses a chain and its key, and checks that they belong together.
    ///
    /// # Errors
    /// What is wrong with which of the two.
    pub fn parse(pem: &CertificatePem) -> Result<Self, CertificateError> {
        Self::with_provider(pem, &provider())
    }

    pub(super) fn with_provider(
        pem: &CertificatePem,
        provider: &CryptoProvider,
    ) -> Result<Self, CertificateError> {
        let chain = chain(&pem.chain_pem).map_err(CertificateError::DamagedChain)?;
        let Some(own) = chain.first() else { return Err(CertificateError::EmptyChain) };
        let names = names(own)
            .map_err(|cause| CertificateError::InvalidCertificate(cause.to_string()))?
            .into();
        let not_after = x509_cert::Certificate::from_der(own)
            .map_err(|cause| CertificateError::InvalidCertificate(cause.to_string()))?
            .tbs_certificate
            .validity
            .not_after
            .to_unix_duration()
            .as_secs();
        let key = provider
            .key_provider
            .load_private_key(key(&pem.key_pem)?)
            .map_err(|_may_show_key| CertificateError::UnusableKey)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            // A key that cannot tell its public part is taken at its word.
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(_) => return Err(CertificateError::KeyMismatch),
        }
        Ok(Self { key: Arc::new(certified), names, not_after })
    }

    /// Parses a certificate that answers a challenge (RFC 8737 §3). It has an extension that nobody
    /// who verifies may accept, so nothing is checked but that chain and key can be read.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn parse_challenge(pem: &CertificatePem) -> Result<Self, CertificateError> {
        let chain = chain(&pem.chain_pem).map_err(CertificateError::DamagedChain)?;
        let key = provider()
            .key_provider
            .load_private_key(key(&pem.key_pem)?)
            .map_err(|_may_show_key| CertificateError::UnusableKey)?;
        let key = Arc::new(CertifiedKey::new(chain, key));
        Ok(Self { key, names: Arc::new([]), not_after: u64::MAX })
    }

    /// The same certificate with an OCSP response to staple (RFC 6066 §8), or with none.
    #[must_use]
    pub fn with_staple(&self, staple: Option<&Staple>) -> Self {
        let ocsp = staple.map(|staple| staple.der().to_vec());
        Self { key: Arc::new(CertifiedKey { ocsp, ..(*self.key).clone() }), ..self.clone() }
    }

    /// Lower-case DNS names that it is for, wildcards as `*.example.com`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Last second of its validity, since 1970.
    pub const fn not_after(&self) -> u64 {
        self.not_after
    }

    /// Whether both are the same parsed certificate, not only equal ones.
    pub fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.key, &other.key)
    }

    /// The server's own certificate in DER.
    pub fn der(&self) -> &[u8] {
        self.key.cert.first().map_or(&[], AsRef::as_ref)
    }
}

/// The certificates in `text`, in order.
pub(super) fn chain(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().map_err(|cause| match cause {
        pem::Error::MissingSectionEnd { .. } => "a section has no end line".to_owned(),
        pem::Error::Base64Decode(_) => "a section is not valid base64".to_owned(),
        _ => "a section cannot be read".to_owned(),
    })
}

fn key(text: &[u8]) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let says = |mark: &[u8]| text.windows(mark.len()).any(|window| window == mark);
    match PrivateKeyDer::from_pem_slice(text) {
        // The old style keeps the plain section name and says it in a header line.
        _ if says(b"ENCRYPTED") => Err(CertificateError::EncryptedKey),
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(CertificateError::NoKey),
        Err(_may_show_key) => Err(CertificateError::UnusableKey),
    }
}

fn names(own: &CertificateDer<'_>) -> Result<Vec<String>, webpki::Error> {
    let parsed = EndEntityCert::try_from(own)?;
    Ok(parsed.valid_dns_names().map(str::to_ascii_lowercase).collect())
}
