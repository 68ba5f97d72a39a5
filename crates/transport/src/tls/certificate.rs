//! PEM text → checked certificate with its key and names. Reads no file.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use webpki::EndEntityCert;

use super::TlsError;

/// A certificate chain and its private key, as PEM text (RFC 7468).
#[derive(Clone, PartialEq, Eq)]
pub struct CertificatePem {
    /// The server's own certificate, then the intermediate ones.
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

impl CertificatePem {
    /// The key with its chain, and the lower-case DNS names that the certificate is for.
    pub(super) fn parse(
        &self,
        certificate: usize,
        provider: &CryptoProvider,
    ) -> Result<(Arc<CertifiedKey>, Vec<String>), TlsError> {
        let chain = chain(&self.chain_pem)
            .map_err(|reason| TlsError::DamagedChain { certificate, reason })?;
        let Some(own) = chain.first() else {
            return Err(TlsError::EmptyChain { certificate });
        };
        let names = names(own).map_err(|cause| TlsError::InvalidCertificate {
            certificate,
            reason: cause.to_string(),
        })?;
        let key = key(&self.key_pem, certificate)?;
        let key = provider
            .key_provider
            .load_private_key(key)
            .map_err(|_may_show_key| TlsError::UnusableKey { certificate })?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            // A key that cannot tell its public part is taken at its word.
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(_) => return Err(TlsError::KeyMismatch { certificate }),
        }
        Ok((Arc::new(certified), names))
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

fn key(text: &[u8], certificate: usize) -> Result<PrivateKeyDer<'static>, TlsError> {
    let says = |mark: &[u8]| text.windows(mark.len()).any(|window| window == mark);
    match PrivateKeyDer::from_pem_slice(text) {
        // The old style keeps the plain section name and says it in a header line.
        _ if says(b"ENCRYPTED") => Err(TlsError::EncryptedKey { certificate }),
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(TlsError::NoKey { certificate }),
        Err(_may_show_key) => Err(TlsError::UnusableKey { certificate }),
    }
}

fn names(own: &CertificateDer<'_>) -> Result<Vec<String>, webpki::Error> {
    let parsed = EndEntityCert::try_from(own)?;
    Ok(parsed.valid_dns_names().map(str::to_ascii_lowercase).collect())
}
