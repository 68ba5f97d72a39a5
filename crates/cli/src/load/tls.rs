//! TLS of the generator, from flags and from what a target says. Reads the files that flags name, never
//! shows what is in them.

use anyhow::Context;
use bulkhead_load::Protocol;
use bulkhead_scenario::{Endpoint, TlsSettings};
use bulkhead_transport::{CertificatePem, ClientTls, ClientTlsOptions, ServerName, TlsTarget};

use super::args::TlsArgs;
use super::source::read_file;

/// How to speak TLS with a server, if it is to be spoken. What its target says goes before the flags.
pub(crate) fn target(
    endpoint: &Endpoint,
    own: &TlsSettings,
    flags: Option<&TlsArgs>,
) -> anyhow::Result<Option<TlsTarget>> {
    if !endpoint.tls {
        return Ok(None);
    }
    let from_flag =
        flags.and_then(|flags| flags.cacert.as_deref()).filter(|_| own.ca_pem.is_none());
    let ca = match from_flag {
        Some(path) => Some(read_file(path)?),
        None => own.ca_pem.clone(),
    };
    let identity = match flags.map(|flags| (&flags.cert, &flags.key)) {
        Some((Some(cert), Some(key))) => {
            Some(CertificatePem { chain_pem: read_file(cert)?, key_pem: read_file(key)? })
        }
        _ => None,
    };
    let alpn: &[u8] = match endpoint.protocol {
        Protocol::Http1 | Protocol::WebSocket => b"http/1.1",
        Protocol::Http2 => b"h2",
    };
    let config = ClientTls::with(&ClientTlsOptions {
        ca_pem: ca.as_deref(),
        skip_verify: own.skip_verify || flags.is_some_and(|flags| flags.insecure),
        alpn: &[alpn],
        identity: identity.as_ref(),
        no_resumption: flags.is_some_and(|flags| flags.no_tls_resume),
        ..ClientTlsOptions::default()
    })
    .with_context(|| format!("set up TLS for `{}`", endpoint.authority))?;
    let given = flags.and_then(|flags| flags.tls_name.as_deref());
    let name = own.server_name.as_deref().or(given).unwrap_or(&endpoint.host);
    let server_name = ServerName::try_from(name.to_owned())
        .with_context(|| format!("`{name}` is no name that a certificate can have"))?;
    Ok(Some(TlsTarget { config, server_name }))
}
