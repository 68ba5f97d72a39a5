//! Certificates that a listener asks its clients for (mutual TLS).

use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};

use super::anchors::{anchors, revocation_lists};
use super::error::TlsError;
use super::names::{NameMatch, check_names};
use super::policy::provider;

/// What a client's certificate must be.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientAuthOptions<'a> {
    /// Trust anchors as PEM text.
    pub ca_pem: &'a [u8],
    /// Revocation lists as PEM text (RFC 5280 §5): then each issuer of a chain must have a list
    /// here that is not out of date, as with OpenSSL's `X509_V_FLAG_CRL_CHECK_ALL`.
    pub crl_pem: Option<&'a [u8]>,
    /// Whether a client without a certificate is turned away. One that shows a certificate is held
    /// to it either way.
    pub required: bool,
    /// Names of which the certificate must have one; empty: any certificate of the anchors.
    pub matches: &'a [NameMatch],
}

/// Verifies clients' certificates.
#[derive(Clone, Debug)]
pub struct ClientAuth {
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    pub(super) scope: [u8; 32],
}

impl ClientAuth {
    /// A verifier.
    ///
    /// # Errors
    /// Anchors or revocation lists cannot be used.
    pub fn new(options: &ClientAuthOptions<'_>) -> Result<Self, TlsError> {
        let roots = Arc::new(anchors(Some(options.ca_pem))?);
        let mut builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
        if let Some(pem) = options.crl_pem {
            builder = builder.with_crls(revocation_lists(pem)?).enforce_revocation_expiration();
        }
        if !options.required {
            builder = builder.allow_unauthenticated();
        }
        let inner = builder
            .build()
            .map_err(|cause| TlsError::RevocationList { reason: cause.to_string() })?;
        let verifier: Arc<dyn ClientCertVerifier> = if options.matches.is_empty() {
            inner
        } else {
            Arc::new(NamedClients { inner, matches: options.matches.into() })
        };
        Ok(Self { verifier, scope: scope(options) })
    }
}

/// Tells apart what was verified: with other anchors, another list or other names, sessions begun
/// before are not resumed.
fn scope(options: &ClientAuthOptions<'_>) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    let names = format!("{} {:?}", options.required, options.matches);
    for part in [options.ca_pem, options.crl_pem.unwrap_or_default(), names.as_bytes()] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut scope = [0; 32];
    scope.copy_from_slice(context.finish().as_ref());
    scope
}

/// Verifies as the library does, then looks at the names.
#[derive(Debug)]
struct NamedClients {
    inner: Arc<dyn ClientCertVerifier>,
    matches: Box<[NameMatch]>,
}

impl ClientCertVerifier for NamedClients {
    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        check_names(&self.matches, end_entity)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
