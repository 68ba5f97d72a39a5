//! A look at the certificate that a server shows: a handshake that believes everything.

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use x509_cert::der::Decode;

use super::policy::provider;

/// What such a client offers as a protocol, so that nobody counts it among clients.
pub(super) const LOOK_ALPN: &[u8] = b"bulkhead-chaos-look";

/// When the certificate begins and ends that a server shows, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownCertificate {
    /// First second of its validity.
    pub not_before: u64,
    /// Last second of its validity.
    pub not_after: u64,
}

impl ShownCertificate {
    /// Makes a handshake over `stream`, whose own time limits hold, and looks at the certificate. `host`:
    /// the name to ask for; `None`: none is asked for.
    ///
    /// # Errors
    /// There was no certificate, or none that can be read.
    pub fn of(host: Option<&str>, stream: &mut (impl Read + Write)) -> io::Result<Self> {
        let seen = Arc::new(Believer::default());
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&seen) as _);
        let mut config = config.with_no_client_auth();
        config.alpn_protocols =
            [LOOK_ALPN, b"h2", b"http/1.1"].map(<[u8]>::to_vec).into_iter().collect();
        // An address as a name is not sent (RFC 6066 §3).
        let name = match host {
            Some(host) => ServerName::try_from(host.to_owned()).map_err(io::Error::other)?,
            None => ServerName::from(IpAddr::from([127, 0, 0, 1])),
        };
        let mut connection =
            ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        let mut ended = Ok(());
        while connection.is_handshaking() && ended.is_ok() {
            ended = connection.complete_io(stream).map(drop);
        }
        // The server may have wanted a certificate of ours: it has shown its own by then.
        let shown = seen.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(shown) = shown {
            connection.send_close_notify();
            let _ = connection.write_tls(stream);
            return read(&shown).ok_or_else(|| io::Error::other("the certificate cannot be read"));
        }
        ended.and_then(|()| Err(io::Error::other("no certificate was shown")))
    }
}

fn read(certificate: &CertificateDer<'_>) -> Option<ShownCertificate> {
    let validity = x509_cert::Certificate::from_der(certificate).ok()?.tbs_certificate.validity;
    Some(ShownCertificate {
        not_before: validity.not_before.to_unix_duration().as_secs(),
        not_after: validity.not_after.to_unix_duration().as_secs(),
    })
}

/// Notes a certificate, and believes it.
#[derive(Debug, Default)]
struct Believer(Mutex<Option<CertificateDer<'static>>>);

impl ServerCertVerifier for Believer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let owned = end_entity.clone().into_owned();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(owned);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
