//! TLS of listeners.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;

use super::certificate::{Certificate, CertificatePem};
use super::challenge::{ACME_TLS_ALPN, AlpnChallenges};
use super::client_auth::ClientAuth;
use super::error::TlsError;
use super::expiry::CertificateExpiry;
use super::key_log::KeyLogFile;
use super::policy::{TlsPolicy, TlsVersion};
use super::resolver::Resolver;
use super::ticket::Ticketer;

/// Tickets sent after a TLS 1.3 handshake: one for the next connection and one to spare, as a client
/// uses each only once (RFC 8446 §C.4).
const TLS13_TICKETS: usize = 2;

/// What can be chosen of TLS of a listener.
#[derive(Clone, Copy, Debug)]
pub struct ServerTlsOptions<'a> {
    /// Chosen by SNI: exact name, then a wildcard for one label, then the first certificate.
    pub certificates: &'a [Certificate],
    /// Preset of versions and suites.
    pub policy: TlsPolicy,
    /// Lowest version, if it is above the policy's.
    pub min_version: TlsVersion,
    /// Protocols (RFC 7301) in order of preference; empty: none.
    pub alpn: &'a [&'a [u8]],
    /// Keys of session tickets.
    pub ticketer: &'a Ticketer,
    /// What clients must show; `None`: they are not asked.
    pub client_auth: Option<&'a ClientAuth>,
    /// Challenges to answer, where there is an `alpn`. With them a listener may have no certificate
    /// yet.
    pub challenges: Option<&'a AlpnChallenges>,
    /// Where secrets are written to. For debugging only.
    pub key_log: Option<&'a KeyLogFile>,
    /// What makes these certificates expired.
    pub expiry: Option<&'a CertificateExpiry>,
}

/// Makes configurations of TLS listeners.
#[derive(Debug)]
pub struct ServerTls;

impl ServerTls {
    /// A configuration for `certificates`, with the default policy.
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
        let parse = |(index, pem)| {
            Certificate::parse(pem)
                .map_err(|source| TlsError::Certificate { number: index + 1, source })
        };
        let certificates =
            certificates.iter().enumerate().map(parse).collect::<Result<Vec<_>, _>>()?;
        Self::with(&ServerTlsOptions {
            certificates: &certificates,
            policy: TlsPolicy::default(),
            min_version,
            alpn,
            ticketer,
            client_auth: None,
            challenges: None,
            key_log: None,
            expiry: None,
        })
    }

    /// A configuration with all that can be chosen.
    ///
    /// # Errors
    /// [`TlsError::NoCertificates`], or the library refuses.
    pub fn with(options: &ServerTlsOptions<'_>) -> Result<Arc<ServerConfig>, TlsError> {
        if options.certificates.is_empty() && options.challenges.is_none() {
            return Err(TlsError::NoCertificates);
        }
        let version = options.policy.min_version(options.min_version);
        let builder = ServerConfig::builder_with_provider(options.policy.provider())
            .with_protocol_versions(version.and_later())
            .map_err(TlsError::Setup)?;
        let builder = match options.client_auth {
            Some(auth) => builder.with_client_cert_verifier(Arc::clone(&auth.verifier)),
            None => builder.with_no_client_auth(),
        };
        let mut resolver = Resolver::new(options.certificates, options.challenges.cloned());
        resolver.expiry = options.expiry.cloned();
        let mut config = builder.with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = options.alpn.iter().map(|name| name.to_vec()).collect();
        // One protocol alone would turn away clients that offer another to what has none.
        if options.challenges.is_some() && !options.alpn.is_empty() {
            config.alpn_protocols.push(ACME_TLS_ALPN.to_vec());
        }
        // Sessions live in the tickets alone: no table to lock, to bound, or to lose with a worker.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        let tickets = options.ticketer.scoped(options.client_auth.map(|auth| auth.scope));
        config.ticketer = match options.expiry {
            Some(expiry) => expiry.guard(tickets),
            None => tickets,
        };
        config.send_tls13_tickets = TLS13_TICKETS;
        if let Some(log) = options.key_log {
            config.key_log = Arc::new(log.clone());
        }
        Ok(Arc::new(config))
    }
}
