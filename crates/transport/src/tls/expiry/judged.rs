//! Certificates of endpoints that count as expired: the time by which they are judged lies behind the end of
//! any.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

use super::CertificateExpiry;

/// The year 10000: no certificate can be valid then (RFC 5280 §4.1.2.5).
pub(super) const BEHIND_ALL: Duration = Duration::from_secs(253_402_300_800);

/// Who judges certificates of endpoints.
#[derive(Clone, Debug)]
pub(crate) struct Judge {
    expiry: CertificateExpiry,
    /// The cluster.
    name: Arc<str>,
}

impl Judge {
    pub(crate) fn new(expiry: &CertificateExpiry, name: &str) -> Self {
        Self { expiry: expiry.clone(), name: name.into() }
    }

    /// What `inner` says of them, and counts those that it was asked for while they were expired.
    pub(crate) fn counted(self, inner: Arc<dyn ServerCertVerifier>) -> Arc<dyn ServerCertVerifier> {
        Arc::new(Counted { judge: self, inner })
    }
}

impl TimeProvider for Judge {
    fn current_time(&self) -> Option<UnixTime> {
        let behind_all = UnixTime::since_unix_epoch(BEHIND_ALL);
        let is_struck = self.expiry.striking(Some(&self.name)).is_some();
        Some(if is_struck { behind_all } else { UnixTime::now() })
    }
}

#[derive(Debug)]
struct Counted {
    judge: Judge,
    inner: Arc<dyn ServerCertVerifier>,
}

impl ServerCertVerifier for Counted {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // The time is looked at more often than once in a handshake, the certificate is not.
        if now.as_secs() == BEHIND_ALL.as_secs()
            && let Some(wish) = self.judge.expiry.striking(Some(&self.judge.name))
        {
            wish.meet();
        }
        self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
