//! Listeners and their TLS.

use std::path::PathBuf;

use bulkhead_message::Address;

use super::{ListenerProtocol, ProxyProtocol};

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

/// TLS of a listener.
#[derive(Clone, Debug, PartialEq)]
pub struct ListenerTls {
    /// Certificates, selected by SNI; the first is the default. Never empty.
    pub certificates: Vec<Certificate>,
    /// Lowest version. Default 1.2.
    pub min_version: TlsVersion,
}

/// TLS protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2
    Tls12,
    /// TLS 1.3
    Tls13,
}

/// A certificate chain with its key.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// PEM file with the chain, leaf first.
    pub certificate_file: PathBuf,
    /// PEM with the private key.
    pub private_key: SecretSource,
}

/// Where a secret comes from. The secret itself is never part of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
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
