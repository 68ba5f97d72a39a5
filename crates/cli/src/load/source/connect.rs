//! From the settings of a target to the generator's: names are looked up, TLS is set up.

use bulkhead_load::{Protocol, TargetOptions};
use bulkhead_scenario::TargetSettings;

use super::Overrides;
use crate::load::plain::{CONNECTIONS, STREAMS};
use crate::load::target::address_of;
use crate::load::tls;

/// Connections at most, unless told.
const CONNECTIONS_MAX: usize = 100_000;

/// Looks the server up. `clients` are those of a closed loop: none of them is
/// to wait for a stream, unless it was told so.
pub(super) fn options(
    target: &TargetSettings,
    clients: Option<usize>,
    overrides: &Overrides<'_>,
) -> anyhow::Result<TargetOptions> {
    let endpoint = &target.endpoint;
    let address = address_of(endpoint)?;
    let usual = match (clients, endpoint.protocol) {
        (Some(clients), Protocol::Http1) => clients.clamp(1, CONNECTIONS_MAX),
        _ => CONNECTIONS as usize,
    };
    let connections = overrides.connections.or(target.connections).unwrap_or(usual);
    let streams = match endpoint.protocol {
        Protocol::Http1 | Protocol::WebSocket => 1,
        Protocol::Http2 => {
            let usual =
                clients.map_or(STREAMS as usize, |clients| clients.div_ceil(connections).max(1));
            overrides.streams.or(target.streams).unwrap_or(usual)
        }
    };
    Ok(TargetOptions {
        tls: tls::target(endpoint, &target.tls, overrides.tls)?,
        connections,
        connection_life: target.connection_life,
        connection_requests_max: target.connection_requests,
        streams_max: streams,
        sources: target.sources.clone(),
        ..TargetOptions::new(address, endpoint.protocol)
    })
}
