//! TLS of the generator, from flags. Reads the files, never shows what is in them.

use std::path::Path;

use anyhow::Context;
use bulkhead_load::Protocol;
use bulkhead_transport::{CertificatePem, ClientTls, ClientTlsOptions, ServerName, TlsTarget};

use super::args::TlsArgs;

/// How to speak TLS with `host` over `protocol`.
pub(crate) fn target(args: &TlsArgs, host: &str, protocol: Protocol) -> anyhow::Result<TlsTarget> {
    let ca = args.cacert.as_deref().map(read).transpose()?;
    let identity = match (&args.cert, &args.key) {
        (Some(cert), Some(key)) => {
            Some(CertificatePem { chain_pem: read(cert)?, key_pem: read(key)? })
        }
        _ => None,
    };
    let alpn: &[u8] = match protocol {
        Protocol::Http1 | Protocol::WebSocket => b"http/1.1",
        Protocol::Http2 => b"h2",
    };
    let config = ClientTls::with(&ClientTlsOptions {
        ca_pem: ca.as_deref(),
        skip_verify: args.insecure,
        alpn: &[alpn],
        identity: identity.as_ref(),
        no_resumption: args.no_tls_resume,
    })
    .context("set up TLS")?;
    let name = args.tls_name.as_deref().unwrap_or(host);
    let server_name = ServerName::try_from(name.to_owned())
        .with_context(|| format!("`{name}` is no name that a certificate can have"))?;
    Ok(TlsTarget { config, server_name })
}

fn read(path: impl AsRef<Path>) -> anyhow::Result<Vec<u8>> {
    let path = path.as_ref();
    std::fs::read(path).with_context(|| format!("read `{}`", path.display()))
}
