//! TLS configurations: certificates, versions, ALPN, session tickets, trust anchors.
//!
//! The cryptography is aws-lc-rs, named explicitly: nothing process-wide is installed or read.
//! Errors name the fault and what to do, and never show key material. Drives no connection: that is
//! [`crate::Channel`]'s part.

use std::fmt;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
};

mod certificate;
mod resolver;
mod tickets;

pub use certificate::CertificatePem;
use resolver::Resolver;
use tickets::TicketKeys;

/// Tickets sent after a TLS 1.3 handshake: one for the next connection and one to spare, as a client
/// uses each only once (RFC 8446 §C.4).
const TLS13_TICKETS: usize = 2;

/// A TLS configuration could not be made. `certificate` counts from 1 in the order given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// No certificate was given at all.
    #[error("TLS needs at least one certificate")]
    NoCertificates,
    /// The chain has no certificate in it.
    #[error(
        "certificate {certificate}: no certificate found in its PEM text; it must have a \
         `-----BEGIN CERTIFICATE-----` section, the server's own first, then the intermediate ones"
    )]
    EmptyChain {
        /// Which.
        certificate: usize,
    },
    /// The PEM text of the chain is damaged.
    #[error("certificate {certificate}: the PEM text of the chain is damaged: {reason}")]
    DamagedChain {
        /// Which.
        certificate: usize,
        /// What is wrong.
        reason: String,
    },
    /// No private key in the text.
    #[error(
        "certificate {certificate}: no private key found; the key's PEM text must have a `PRIVATE \
         KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY` section"
    )]
    NoKey {
        /// Which.
        certificate: usize,
    },
    /// The private key is encrypted.
    #[error(
        "certificate {certificate}: the private key is encrypted with a pass phrase; decrypt it \
         with `openssl pkey -in KEY -out KEY.plain` and keep it readable by the gateway only"
    )]
    EncryptedKey {
        /// Which.
        certificate: usize,
    },
    /// The private key cannot be read or its kind is not supported.
    #[error(
        "certificate {certificate}: the private key cannot be used; it must be RSA of 2048 to 8192 \
         bits, ECDSA on P-256, P-384 or P-521, or Ed25519"
    )]
    UnusableKey {
        /// Which.
        certificate: usize,
    },
    /// Key and certificate do not belong together.
    #[error(
        "certificate {certificate}: the private key does not match the certificate; check that the \
         two files belong together and that the server's own certificate comes first in the chain"
    )]
    KeyMismatch {
        /// Which.
        certificate: usize,
    },
    /// The first certificate of the chain is not a valid X.509 version 3 certificate.
    #[error("certificate {certificate}: not a valid X.509 certificate: {reason}")]
    InvalidCertificate {
        /// Which.
        certificate: usize,
        /// What is wrong.
        reason: String,
    },
    /// The text with the trust anchors has no usable certificate.
    #[error(
        "the trust anchors' PEM text is unusable: {reason}; it must have `CERTIFICATE` sections"
    )]
    TrustAnchors {
        /// What is wrong.
        reason: String,
    },
    /// The system gives no random numbers, or the library refuses its own defaults.
    #[error("set up TLS")]
    Setup(#[source] rustls::Error),
}

/// Lowest TLS version of a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246) and 1.3.
    #[default]
    Tls12,
    /// TLS 1.3 (RFC 8446) only.
    Tls13,
}

impl TlsVersion {
    fn and_later(self) -> &'static [&'static SupportedProtocolVersion] {
        static TLS12: [&SupportedProtocolVersion; 2] =
            [&rustls::version::TLS13, &rustls::version::TLS12];
        static TLS13: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
        match self {
            Self::Tls12 => &TLS12,
            Self::Tls13 => &TLS13,
        }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Keys that session tickets are sealed with (RFC 5077 §4): random, rotated every six hours, a
/// ticket is good for twelve at most. Clones share the keys, so that a session begun at one worker,
/// or under the configuration before a reload, is resumed at any other.
#[derive(Clone)]
pub struct Ticketer(Arc<TicketKeys>);

impl Ticketer {
    /// Fresh keys.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn new() -> Result<Self, TlsError> {
        Ok(Self(Arc::new(TicketKeys::new(UnixTime::now().as_secs())?)))
    }

    /// The keys, for a process that goes on in place of this one. They are secret: whoever has them
    /// reads the resumed sessions of TLS 1.2.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// The keys of the process before this one; `None`: the bytes are no keys.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        TicketKeys::from_bytes(bytes).map(|keys| Self(Arc::new(keys)))
    }
}

impl fmt::Debug for Ticketer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticketer(..)")
    }
}

/// Makes configurations of TLS listeners.
#[derive(Debug)]
pub struct ServerTls;

impl ServerTls {
    /// A configuration that chooses among `certificates` by SNI: exact name, then a wildcard for
    /// one label, then the first certificate. `alpn` is in order of preference; empty: none.
    ///
    /// # Errors
    /// [`TlsError`] names the certificate and what is wrong with it.
    #[expect(clippy::new_ret_no_self, reason = "the library's own type is what channels take")]
    pub fn new(
        certificates: Vec<CertificatePem>,
        min_version: TlsVersion,
        alpn: &[&[u8]],
        ticketer: &Ticketer,
    ) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = provider();
        let mut resolver = Resolver::default();
        for (index, pem) in certificates.iter().enumerate() {
            let (key, names) = pem.parse(index + 1, &provider)?;
            resolver.add(key, names);
        }
        if resolver.is_empty() {
            return Err(TlsError::NoCertificates);
        }
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(min_version.and_later())
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        // Sessions live in the tickets alone: no table to lock, to bound, or to lose with a worker.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = ticketer.0.clone();
        config.send_tls13_tickets = TLS13_TICKETS;
        Ok(Arc::new(config))
    }
}

/// What can be chosen of TLS towards endpoints.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientTlsOptions<'a> {
    /// Trust anchors as PEM text; `None`: the public web's.
    pub ca_pem: Option<&'a [u8]>,
    /// Any certificate passes: whoever sits on the path can read and change all.
    pub skip_verify: bool,
    /// Protocols to offer (RFC 7301), in order of preference; empty: none.
    pub alpn: &'a [&'a [u8]],
    /// Our own certificate, for endpoints that ask for one.
    pub identity: Option<&'a CertificatePem>,
    /// Every handshake is a full one: no session is kept to be resumed.
    pub no_resumption: bool,
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
    /// [`ServerTls::new`].
    pub fn with(options: &ClientTlsOptions<'_>) -> Result<Arc<ClientConfig>, TlsError> {
        let provider = provider();
        let algorithms = provider.signature_verification_algorithms;
        let identity = options.identity.map(|pem| pem.parse(1, &provider)).transpose()?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(TlsVersion::Tls12.and_later())
            .map_err(TlsError::Setup)?;
        let builder = if options.skip_verify {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(TrustAnybody { algorithms }))
        } else {
            builder.with_root_certificates(anchors(options.ca_pem)?)
        };
        let mut config = match identity {
            Some((key, _names)) => {
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = options.alpn.iter().map(|name| name.to_vec()).collect();
        if options.no_resumption {
            config.resumption = Resumption::disabled();
        }
        Ok(Arc::new(config))
    }
}

fn anchors(ca_pem: Option<&[u8]>) -> Result<RootCertStore, TlsError> {
    let Some(pem) = ca_pem else {
        return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
    };
    let unusable = |reason: String| TlsError::TrustAnchors { reason };
    let certificates = certificate::chain(pem).map_err(unusable)?;
    if certificates.is_empty() {
        return Err(unusable("no certificate found".to_owned()));
    }
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|cause| unusable(cause.to_string()))?;
    }
    Ok(roots)
}

/// Checks that the endpoint has the key of the certificate it shows, but not whose it is.
#[derive(Debug)]
struct TrustAnybody {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for TrustAnybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
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

#[cfg(test)]
pub(crate) mod tests;
