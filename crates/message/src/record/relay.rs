//! What is left of a relay: a connection that was passed on as bytes.

use std::net::IpAddr;
use std::time::Duration;

use super::Outcome;

/// Facts of one finished relay, borrowed from it.
#[derive(Clone, Copy, Debug)]
pub struct RelayRecord<'a> {
    /// Client address; `None`: it came through a Unix socket.
    pub client: Option<IpAddr>,
    /// `tcp`, or `tls` if it was routed by its server name.
    pub protocol: &'static str,
    /// Name of the listener.
    pub listener: &'a str,
    /// Server name that the client asked for, where it was looked at.
    pub server_name: Option<&'a str>,
    /// Route name; empty if none matched.
    pub route: &'a str,
    /// Cluster name; empty if none was chosen.
    pub cluster: &'a str,
    /// Endpoint address of the last attempt; empty if none was made.
    pub endpoint: &'a str,
    /// How it ended.
    pub outcome: Outcome,
    /// Attempts to connect to endpoints.
    pub attempts: u32,
    /// Bytes from the client to the endpoint.
    pub received_bytes: u64,
    /// Bytes from the endpoint to the client.
    pub sent_bytes: u64,
    /// From the choice of the route to the end.
    pub duration: Duration,
    /// Revision of the configuration that served it.
    pub revision: u64,
}
