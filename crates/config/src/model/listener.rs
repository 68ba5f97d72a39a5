//! Listeners and their TLS.

use std::path::PathBuf;

use bulkhead_message::Address;

use super::{ListenerProtocol, ListenerTls, ProxyProtocol};

/// One listening address.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// Unique name.
    pub name: String,
    /// Address; port 0 asks the system for one.
    pub address: Address,
    /// Permissions of the Unix socket's file; `None`: the umask's.
    pub socket_mode: Option<u32>,
    /// What it takes its connections for.
    pub protocol: ListenerProtocol,
    /// PROXY protocol; `None`: the client is who connects.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// TLS; `None`: cleartext (HTTP/1.1 and HTTP/2 with prior knowledge on the same port).
    pub tls: Option<ListenerTls>,
    /// Protocols offered (ALPN with TLS, sniffing without). Default: both.
    pub protocols: Vec<Protocol>,
}

impl Listener {
    /// A cleartext listener with defaults.
    pub fn new(name: &str, address: impl Into<Address>) -> Self {
        Self {
            name: name.to_owned(),
            address: address.into(),
            socket_mode: None,
            protocol: ListenerProtocol::Http,
            proxy_protocol: None,
            tls: None,
            protocols: vec![Protocol::Http1, Protocol::Http2],
        }
    }
}

/// Where a secret comes from. The secret itself is never part of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
}

/// Application protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1 (and 1.0)
    Http1,
    /// HTTP/2
    Http2,
}
