//! Endpoints that stand elsewhere than in the configuration.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a cluster's endpoints are looked up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Discovery {
    /// SRV records of this name (RFC 2782).
    DnsSrv(String),
    /// A file with a list of endpoints ([`crate::parse_endpoints`]).
    File(PathBuf),
}

/// How names are looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dns {
    /// Name servers; empty: the system's.
    pub servers: Vec<SocketAddr>,
}
