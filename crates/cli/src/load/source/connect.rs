//! From the settings of a target to the generator's: names are looked up, TLS is set up.

use anyhow::Context;
use bulkhead_load::{Protocol, TargetOptions};
use bulkhead_scenario::TargetSettings;
use bulkhead_transport::{CertificatePem, ClientTls, ClientTlsOptions, ServerName, TlsTarget};

use super::{Overrides, files};
use crate::load::target::Target;

/// Connections of an open loop, unless told.
const CONNECTIONS: usize = 10;
/// Connections at most, unless told.
const CONNECTIONS_MAX: usize = 100_000;
/// Streams per HTTP/2 connection in an open loop, unless told.
const STREAMS: usize = 100;

/// Looks the server up. `clients` are those of a closed loop: none of them is
/// to wait for a stream, unless it was told so.
pub(super) fn options(
    target: &TargetSettings,
    clients: Option<usize>,
    overrides: &Overrides<'_>,
) -> anyhow::Result<TargetOptions> {
    let endpoint = &target.endpoint;
    let scheme = if endpoint.tls { "https" } else { "http" };
    let address = Target::parse(&format!("{scheme}://{}/", endpoint.authority))?.address()?;
    let usual = match (clients, endpoint.protocol) {
        (Some(clients), Protocol::Http1) => clients.clamp(1, CONNECTIONS_MAX),
        _ => CONNECTIONS,
    };
    let connections = overrides.connections.or(target.connections).unwrap_or(usual);
    let streams = match endpoint.protocol {
        Protocol::Http1 | Protocol::WebSocket => 1,
        Protocol::Http2 => {
            let usual = clients.map_or(STREAMS, |clients| clients.div_ceil(connections).max(1));
            overrides.streams.or(target.streams).unwrap_or(usual)
        }
    };
    Ok(TargetOptions {
        tls: endpoint.tls.then(|| tls(target, overrides)).transpose()?,
        connections,
        connection_life: target.connection_life,
        connection_requests_max: target.connection_requests,
        streams_max: streams,
        sources: target.sources.clone(),
        ..TargetOptions::new(address, endpoint.protocol)
    })
}

/// What the target says goes before what the flags say.
fn tls(target: &TargetSettings, overrides: &Overrides<'_>) -> anyhow::Result<TlsTarget> {
    let flags = overrides.tls;
    let from_flag =
        flags.and_then(|flags| flags.cacert.as_deref()).filter(|_| target.tls.ca_pem.is_none());
    let ca = match from_flag {
        Some(path) => Some(files::read(path)?),
        None => target.tls.ca_pem.clone(),
    };
    let identity = match flags.map(|flags| (&flags.cert, &flags.key)) {
        Some((Some(cert), Some(key))) => {
            Some(CertificatePem { chain_pem: files::read(cert)?, key_pem: files::read(key)? })
        }
        _ => None,
    };
    let alpn: &[u8] = match target.endpoint.protocol {
        Protocol::Http1 | Protocol::WebSocket => b"http/1.1",
        Protocol::Http2 => b"h2",
    };
    let config = ClientTls::with(&ClientTlsOptions {
        ca_pem: ca.as_deref(),
        skip_verify: target.tls.skip_verify || flags.is_some_and(|flags| flags.insecure),
        alpn: &[alpn],
        identity: identity.as_ref(),
        no_resumption: flags.is_some_and(|flags| flags.no_tls_resume),
    })
    .with_context(|| format!("set up TLS for `{}`", target.name))?;
    let given = flags.and_then(|flags| flags.tls_name.as_deref());
    let name = target.tls.server_name.as_deref().or(given).unwrap_or(&target.endpoint.host);
    let server_name = ServerName::try_from(name.to_owned())
        .with_context(|| format!("`{name}` is no name that a certificate can have"))?;
    Ok(TlsTarget { config, server_name })
}
