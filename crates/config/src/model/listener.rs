//! Listeners and their TLS.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::ListenerTls;

/// One listening address.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// Unique name.
    pub name: String,
    /// Address; port 0 asks the system for one.
    pub address: SocketAddr,
    /// TLS; `None`: cleartext (HTTP/1.1 and HTTP/2 with prior knowledge on the same port).
    pub tls: Option<ListenerTls>,
    /// Protocols offered (ALPN with TLS, sniffing without). Default: both.
    pub protocols: Vec<Protocol>,
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
