//! TLS towards endpoints.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::SingleCertAndKey;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::anchors::anchors;
use super::certificate::{Certificate, CertificatePem};
use super::error::TlsError;
use super::expiry::CertificateExpiry;
use super::expiry::judged::Judge;
use super::key_log::KeyLogFile;
use super::names::{NameMatch, check_names};
use super::policy::{TlsVersion, provider};

/// What can be chosen of TLS towards endpoints.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientTlsOptions<'a> {
    /// Trust anchors as PEM text; `None`: the public web's.
    pub ca_pem: Option<&'a [u8]>,
    /// Any certificate passes: whoever sits on the path can read and change all.
    pub skip_verify: bool,
    /// Names of which the endpoint's certificate must have one, in place of the name that is asked
    /// for; empty: that name.
    pub names: &'a [NameMatch],
    /// Lowest version.
    pub min_version: TlsVersion,
    /// Protocols to offer (RFC 7301), in order of preference; empty: none.
    pub alpn: &'a [&'a [u8]],
    /// Our own certificate as PEM text, for endpoints that ask for one.
    pub identity: Option<&'a CertificatePem>,
    /// As `identity`, parsed.
    pub certificate: Option<&'a Certificate>,
    /// Every handshake is a full one: no session is kept to be resumed.
    pub no_resumption: bool,
    /// Where secrets are written to. For debugging only.
    pub key_log: Option<&'a KeyLogFile>,
    /// What makes certificates count as expired, and who it is that looks at them.
    pub expiry: Option<(&'a CertificateExpiry, &'a str)>,
}

/// Makes configurations of TLS towards endpoints.
#[derive(Debug)]
pub struct ClientTls;

impl ClientTls {
    /// A configuration that trusts the anchors in `ca_pem`, or the public web's without it. With
    /// `skip_verify` any certificate passes: whoever sits on the path can read and change all.
    ///
    /// # Errors
    /// [`TlsError::TrustAnchors`] when `ca_pem` has no usable certificate.
    #[expect(clippy::new_ret_no_self, reason = "the library's own type is what channels take")]
    pub fn new(
        ca_pem: Option<&[u8]>,
        skip_verify: bool,
        alpn: &[&[u8]],
    ) -> Result<Arc<ClientConfig>, TlsError> {
        Self::with(&ClientTlsOptions { ca_pem, skip_verify, alpn, ..ClientTlsOptions::default() })
    }

    /// [`Self::new`] with all that can be chosen.
    ///
    /// # Errors
    /// [`TlsError::TrustAnchors`] as with [`Self::new`]; about our own certificate as with
    /// [`crate::ServerTls::new`].
    pub fn with(options: &ClientTlsOptions<'_>) -> Result<Arc<ClientConfig>, TlsError> {
        let identity = options
            .identity
            .map(Certificate::parse)
            .transpose()
            .map_err(|source| TlsError::Certificate { number: 1, source })?;
        let identity = identity.as_ref().or(options.certificate);
        let time: Arc<dyn TimeProvider> = match options.expiry {
            Some((expiry, owner)) => Arc::new(Judge::new(expiry, owner)),
            None => Arc::new(DefaultTimeProvider),
        };
        let builder = ClientConfig::builder_with_details(provider(), time)
            .with_protocol_versions(options.min_version.and_later())
            .map_err(TlsError::Setup)?;
        let builder = match verifier(options)? {
            Verification::Custom(verifier) => {
                builder.dangerous().with_custom_certificate_verifier(verifier)
            }
            Verification::Anchors(roots) => builder.with_root_certificates(roots),
        };
        let mut config = match identity {
            Some(certificate) => {
                let key = Arc::clone(&certificate.key);
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = options.alpn.iter().map(|name| name.to_vec()).collect();
        if options.no_resumption {
            config.resumption = Resumption::disabled();
        }
        if let Some(log) = options.key_log {
            config.key_log = Arc::new(log.clone());
        }
        Ok(Arc::new(config))
    }
}

enum Verification {
    Anchors(RootCertStore),
    Custom(Arc<dyn ServerCertVerifier>),
}

fn verifier(options: &ClientTlsOptions<'_>) -> Result<Verification, TlsError> {
    let trust = if options.skip_verify {
        Trust::Anybody
    } else {
        let roots = anchors(options.ca_pem)?;
        if options.names.is_empty() {
            return library(roots, options.expiry);
        }
        Trust::Names { roots, names: options.names.into() }
    };
    let algorithms = provider().signature_verification_algorithms;
    let judges = matches!(trust, Trust::Names { .. });
    let own: Arc<dyn ServerCertVerifier> = Arc::new(EndpointVerifier { trust, algorithms });
    Ok(Verification::Custom(match options.expiry.filter(|_| judges) {
        Some((expiry, owner)) => Judge::new(expiry, owner).counted(own),
        None => own,
    }))
}

/// The library judges.
fn library(
    roots: RootCertStore,
    expiry: Option<(&CertificateExpiry, &str)>,
) -> Result<Verification, TlsError> {
    let Some((expiry, owner)) = expiry else { return Ok(Verification::Anchors(roots)) };
    let judge = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|cause| TlsError::Setup(rustls::Error::General(cause.to_string())))?;
    Ok(Verification::Custom(Judge::new(expiry, owner).counted(judge)))
}

/// Whose certificate passes, where it is not the library that judges.
#[derive(Debug)]
enum Trust {
    /// Whoever has the key of the certificate that is shown.
    Anybody,
    /// A chain to these anchors, as the library checks it, and one of these names in place of the
    /// name that is asked for.
    Names { roots: RootCertStore, names: Box<[NameMatch]> },
}

/// Judges certificates by [`Trust`]. That the endpoint has the certificate's key is checked always.
#[derive(Debug)]
struct EndpointVerifier {
    trust: Trust,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for EndpointVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Trust::Names { roots, names } = &self.trust {
            verify_server_cert_signed_by_trust_anchor(
                &ParsedCertificate::try_from(end_entity)?,
                roots,
                intermediates,
                now,
                self.algorithms.all,
            )?;
            check_names(names, end_entity)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
