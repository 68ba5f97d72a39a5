//! What is passed on as bytes: raw TCP, TLS by its server name, and the PROXY protocol.

use std::time::Duration;

use bulkhead_message::Network;

use super::Backend;

/// Where connections of layer 4 go.
#[derive(Clone, Debug, PartialEq)]
pub struct RelayRoute {
    /// Unique name.
    pub name: String,
    /// Names of the listeners whose connections it takes. Never empty.
    pub listeners: Vec<String>,
    /// Server names, exact or `*.suffix`; empty: any. Always empty in a TCP route.
    pub hostnames: Vec<String>,
    /// Clusters by weight. Never empty.
    pub backends: Vec<Backend>,
    /// No byte in either direction. Default 1 h.
    pub idle_timeout: Duration,
    /// Endpoints that are tried at most. Default 3.
    pub connect_attempts: u32,
}

/// What a listener takes its connections for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListenerProtocol {
    /// HTTP, terminated here.
    #[default]
    Http,
    /// Bytes, of which nothing is known.
    Tcp,
    /// TLS that is passed on by its server name.
    Tls,
}

/// PROXY protocol in front of what clients say.
#[derive(Clone, Debug, PartialEq)]
pub struct ProxyProtocol {
    /// Connections without it are closed.
    pub required: bool,
    /// Networks whose word is taken. Empty for a Unix socket alone.
    pub trusted_sources: Vec<Network>,
}

/// Version of the PROXY protocol that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProtocolVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}
